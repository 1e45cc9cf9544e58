import { createHash } from 'node:crypto';
import { deliveryLogs } from './counts';
import type { Campaign } from './store';
import { withCampaign } from './truth';
import type { Context } from '../context';
import type { ControlRoute } from '../control';
import { dateText, instantOf } from '../dates';
import { bounceReasons } from '../sending/fate';
import { messageHeaders } from './messages';
import { select } from '../sql';

const maxRecords = 1_000_000;

/** The columns of the accounting file, `type` first; a record leaves blank what it has not. */
const columns = [
  'type',
  'timeLogged',
  'timeQueued',
  'orig',
  'rcpt',
  'orcpt',
  'dsnAction',
  'dsnStatus',
  'dsnDiag',
  'dsnMta',
  'bounceCat',
  'srcType',
  'srcMta',
  'dlvType',
  'dlvSourceIp',
  'dlvDestinationIp',
  'dlvSize',
  'vmta',
  'jobId',
  'envId',
  'header_X-Job',
  'header_List-Id',
  'header_X-Mw-Subscriber-Uid',
  'header_X-Mw-Campaign-Uid',
  'header_X-HmXmrOriginalRecipient',
  'feedbackType',
] as const;
type PmtaRecord = Partial<Record<(typeof columns)[number], string>>;

/** The accounting that PowerMTA would have written of a campaign's mails. `?times=unix` gives seconds as older versions do. */
export const pmtaRoutes: ControlRoute[] = [
  {
    method: 'GET',
    path: '/pmta.csv',
    handle: withCampaign(async (context, campaign, query) => ({
      code: 200,
      headers: { 'content-type': 'text/csv; charset=utf-8' },
      body: toCsv(await readAccounting(context, campaign, query)),
    })),
  },
  {
    method: 'GET',
    path: '/pmta.json',
    handle: withCampaign(async (context, campaign, query) => ({ code: 200, body: await readAccounting(context, campaign, query) })),
  },
];

type Log = { subscriber_uid: string; email: string; status: string; at: string };
type Return = Log & { message: string; type: string };

async function readAccounting(context: Context, campaign: Campaign, query: URLSearchParams): Promise<PmtaRecord[]> {
  const { pool } = context;
  const id = campaign.campaign_id;
  const time = (stored: string) => toTime(instantOf(context, stored), query.get('times') === 'unix');
  const logs = await select<Log>(
    pool,
    `SELECT s.subscriber_uid, s.email, l.status, ${dateText('l.date_added')} at FROM ${deliveryLogs} l JOIN mw_list_subscriber s USING (subscriber_id) ORDER BY l.log_id LIMIT ${maxRecords}`,
    [id, id],
  );
  const returned = (table: string, type: string) =>
    select<Return>(
      pool,
      `SELECT s.subscriber_uid, s.email, '' status, l.message, ${type} type, ${dateText('l.date_added')} at FROM ${table} l JOIN mw_list_subscriber s USING (subscriber_id) WHERE l.campaign_id = ? ORDER BY l.log_id LIMIT ${maxRecords}`,
      [id],
    );
  const bounces = await returned('mw_campaign_bounce_log', 'l.bounce_type');
  const complaints = await returned('mw_campaign_complain_log', "'f'");
  // A bounce is told in the dialogue itself (b), or the mail was taken (d) and comes back later (rb).
  const inDialogue = new Map(
    bounces.filter(({ email }) => share(email, 'dialogue') < 0.5).map((bounce) => [bounce.subscriber_uid, bounce]),
  );
  return [
    ...logs.flatMap((log) => {
      const bounce = inDialogue.get(log.subscriber_uid);
      if (bounce) return [toBounce(context, campaign, bounce, 'b', time)];
      if (log.status === 'success')
        return [
          {
            type: 'd',
            ...sent(context, campaign, log, time),
            dsnAction: 'relayed',
            dsnStatus: '2.0.0 (success)',
            dsnDiag: 'smtp;250 2.0.0 OK',
          },
        ];
      if (log.status === 'temporary-error')
        return [
          {
            type: 't',
            ...sent(context, campaign, log, time),
            dsnAction: 'delayed',
            dsnStatus: '4.0.0',
            dsnDiag: 'smtp;451 4.7.1 Try again later',
            bounceCat: 'other',
          },
        ];
      return [];
    }),
    ...bounces
      .filter(({ subscriber_uid }) => !inDialogue.has(subscriber_uid))
      .map((bounce) => toBounce(context, campaign, bounce, 'rb', time)),
    ...complaints.map((complaint) => toFeedback(context, campaign, complaint, time)),
  ];
}

const toTime = (at: Date, unix: boolean) =>
  unix
    ? String(Math.floor(at.getTime() / 1_000))
    : at
        .toISOString()
        .replace(/\.\d{3}Z$/, '+0000')
        .replace('T', ' ');
const share = (email: string, word: string) => createHash('sha1').update(`${word}/${email}`).digest().readUInt32BE(0) / 2 ** 32;

function sent({ instanceId }: Context, campaign: Campaign, log: Log, time: (stored: string) => string): PmtaRecord {
  const headers = messageHeaders(campaign, log);
  return {
    timeLogged: time(log.at),
    timeQueued: time(log.at),
    orig: campaign.from_email,
    rcpt: log.email,
    dsnMta: `mx.${log.email.split('@').at(-1) ?? ''} (192.0.2.25)`,
    srcType: 'smtp',
    srcMta: `${instanceId}.sandbox.test (127.0.0.1)`,
    dlvType: 'smtp',
    dlvSourceIp: '198.51.100.1',
    dlvDestinationIp: '192.0.2.25',
    dlvSize: String(campaign.content.length + 800),
    vmta: 'vmta-1',
    jobId: `mailwizz-${campaign.campaign_uid}`,
    envId: log.subscriber_uid,
    'header_X-Job': headers['X-Job'],
    'header_List-Id': headers['List-Id'],
    'header_X-Mw-Subscriber-Uid': headers['X-Mw-Subscriber-Uid'],
    'header_X-Mw-Campaign-Uid': headers['X-Mw-Campaign-Uid'],
  };
}

/** What comes back later has often lost its recipient: the headers still tell. */
function toBounce(context: Context, campaign: Campaign, bounce: Return, type: 'b' | 'rb', time: (stored: string) => string): PmtaRecord {
  const reason = bounceReasons.find(({ message }) => message === bounce.message);
  const status = reason?.status ?? (bounce.type === 'soft' ? '4.0.0' : '5.0.0');
  return {
    type,
    ...sent(context, campaign, bounce, time),
    dsnAction: 'failed',
    dsnStatus: status,
    dsnDiag: `smtp;${status.startsWith('4') ? '450' : '550'} ${bounce.message}`,
    bounceCat: reason?.category ?? (bounce.type === 'hard' ? 'bad-mailbox' : bounce.type === 'soft' ? 'quota-issues' : 'other'),
    ...(type === 'rb' && share(bounce.email, 'lost') < 0.25 && { rcpt: '' }),
  };
}

/** A mailbox provider hides who complained; one of them leaves the address in a header of its own. */
function toFeedback(context: Context, campaign: Campaign, complaint: Return, time: (stored: string) => string): PmtaRecord {
  const hidden = share(complaint.email, 'hidden') < 0.5;
  return {
    type: 'f',
    ...sent(context, campaign, complaint, time),
    feedbackType: 'abuse',
    rcpt: hidden ? 'redacted@feedback.sandbox.test' : complaint.email,
    ...(hidden && { 'header_X-HmXmrOriginalRecipient': complaint.email }),
  };
}

const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const toCsv = (records: PmtaRecord[]) =>
  [columns.join(','), ...records.map((record) => columns.map((column) => quote(record[column] ?? '')).join(','))].join('\r\n') + '\r\n';
