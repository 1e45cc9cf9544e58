import { z } from 'zod';
import { type Form, toForm } from '../form';
import { id, maybeNumber, maybeRate, maybeText, uid } from './shapes';
import { toBase64 } from './templates';

export type CampaignRow = { campaignUid: string; campaignId: number | undefined; name: string; status: string };
export type Campaign = CampaignRow & {
  fromName: string | undefined;
  fromEmail: string | undefined;
  replyTo: string | undefined;
  subject: string | undefined;
  listUid: string | undefined;
  segmentUid: string | undefined;
};

export type CampaignContent = { html: string; plainText?: string } | { templateUid: string };
export type NewCampaign = {
  /** Carries the marker by which it is found again. */
  name: string;
  listUid: string;
  segmentUid?: string;
  fromName: string;
  fromEmail: string;
  replyTo: string;
  subject: string;
  /** `YYYY-MM-DD HH:MM:SS` in the time zone of the MailWizz customer; a call cannot name another. */
  sendAt: string;
  content: CampaignContent;
  toName?: string;
  trackUrls?: boolean;
  /** A copy of the statistics goes there when it is done. */
  statsEmail?: string;
};
export type CampaignChange = Partial<Omit<NewCampaign, 'listUid'>>;

const row = { campaign_id: maybeNumber, name: z.string(), status: z.string() };
export const campaignRow = z.looseObject({ campaign_uid: uid, ...row }).transform((found): CampaignRow => ({
  campaignUid: found.campaign_uid,
  campaignId: found.campaign_id,
  name: found.name,
  status: found.status,
}));

/** List and segment are maps, or `[]` when there is none. Dates here are written for people, in the reader's language: they are left alone. */
const named = <K extends string>(key: K) =>
  z
    .unknown()
    .optional()
    .transform((value) => z.looseObject({ [key]: uid }).safeParse(value).data?.[key])
    .pipe(z.string().optional());
export const campaignRecord = z.looseObject({
  campaign_uid: uid.optional(),
  ...row,
  from_name: maybeText,
  from_email: maybeText,
  reply_to: maybeText,
  subject: maybeText,
  list: named('list_uid'),
  segment: named('segment_uid'),
});

export type CampaignStats = {
  status: string | undefined;
  subscribers: number;
  processed: number;
  /** By MailWizz's own names (`delivery_success`, `unique_opens`, `hard_bounces` …); rounding and base of the rates are theirs. */
  counts: Map<string, number>;
  rates: Map<string, number>;
};

export const campaignStats = z
  .looseObject({ campaign_status: maybeText, subscribers_count: id, processed_count: id })
  .transform((found): CampaignStats => {
    const of = (ending: string, read: (value: unknown) => number | undefined) =>
      new Map(
        Object.entries(found).flatMap(([key, value]): [string, number][] => {
          const number = key.endsWith(ending) ? read(value) : undefined;
          return number === undefined ? [] : [[key.slice(0, -ending.length), number]];
        }),
      );
    return {
      status: found.campaign_status,
      subscribers: found.subscribers_count,
      processed: found.processed_count,
      counts: of('_count', (value) => maybeNumber.parse(value)),
      rates: of('_rate', (value) => maybeRate.parse(value)),
    };
  });

export function toCampaignForm(campaign: CampaignChange & { listUid?: string; status?: 'paused' | 'draft' }): string {
  const { content } = campaign;
  const template: Form | undefined = content && ('html' in content ? toTemplate(content) : { template_uid: content.templateUid });
  return toForm({
    campaign: {
      name: campaign.name,
      type: campaign.status === undefined ? undefined : 'regular',
      status: campaign.status,
      from_name: campaign.fromName,
      from_email: campaign.fromEmail,
      reply_to: campaign.replyTo,
      to_name: campaign.toName,
      subject: campaign.subject,
      send_at: campaign.sendAt,
      list_uid: campaign.listUid,
      segment_uid: campaign.segmentUid,
      options: {
        url_tracking: campaign.trackUrls === undefined ? undefined : campaign.trackUrls ? 'yes' : 'no',
        email_stats: campaign.statsEmail,
      },
      template,
    },
  });
}

/** Without a text of our own MailWizz makes one from the HTML. */
const toTemplate = ({ html, plainText }: { html: string; plainText?: string }): Form => ({
  content: toBase64(html),
  inline_css: 'no',
  ...(plainText === undefined ? { auto_plain_text: 'yes' } : { plain_text: toBase64(plainText), auto_plain_text: 'no' }),
});
