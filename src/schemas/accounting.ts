import type { BounceClass, MailEvent, MailEventType } from '../domain/mail-event';
import { clean, type Reception, toMailEvent, type Unreadable } from './mail-report';

/** Records of PowerMTA that say what became of a mail; the others (`t`, `tq`, `r`, `rs`) tell of attempts, whose end comes in a record of its own. */
const types: Record<string, MailEventType> = { d: 'delivered', b: 'bounced', rb: 'bounced', f: 'spam_report' };
const passedOver = new Set(['t', 'tq', 'r', 'rs']);
const jobOf = /^mailwizz-([A-Za-z0-9]{1,50})$/;

/** Which category of PowerMTA means what, as the operator's rules have it. */
export type BounceCategories = ReadonlyMap<string, BounceClass>;

/** One accounting record, from CSV or JSON; `passed` for those that are not about an end. The campaign is named by a header of the mail, else by its job (mailwizz.md 7.2). */
export function readAccounting(record: unknown, categories: BounceCategories, source: Reception): MailEvent | Unreadable | 'passed' {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return { unreadable: 'not_an_event' };
  const cells = new Map(Object.entries(record).map(([name, value]) => [name.toLowerCase(), value]));
  const cell = (name: string) => clean(cells.get(name), 500);
  const kind = cell('type') ?? '';
  if (passedOver.has(kind)) return 'passed';
  const type = types[kind];
  if (type === undefined) return { unreadable: 'not_an_event' };
  const job = cell('header_x-job') ?? cell('jobid') ?? '';
  const isFeedback = kind === 'f';
  return toMailEvent(
    {
      type,
      way: 'pmta',
      instanceId: null,
      campaignUid: cell('header_x-mw-campaign-uid') ?? jobOf.exec(job)?.[1],
      subscriberUid: cell('header_x-mw-subscriber-uid'),
      // A feedback loop may hide the recipient and leave it in a header of its own.
      email: (isFeedback ? cell('header_x-hmxmroriginalrecipient') : null) ?? cell('rcpt') ?? cell('orcpt'),
      time: cell('timelogged'),
      bounceClass: type === 'bounced' ? toBounceClass(cell('bouncecat'), cell('dsnstatus'), categories) : null,
      data: Object.fromEntries(['bounceCat', 'dsnStatus', 'dsnDiag', 'dsnMta', 'vmta', 'jobId', 'dlvSourceIp', 'feedbackType'].map((name) => [name, cell(name.toLowerCase())])),
    },
    source,
  );
}

/** By its category; without a known one by the status: 5.1.x and 5.2.1 are about the address, 4.x.x may heal, the rest is about us. */
function toBounceClass(category: string | null, status: string | null, categories: BounceCategories): BounceClass {
  const known = category === null ? undefined : categories.get(category);
  if (known !== undefined) return known;
  if (/^5\.(1\.(1|2|3|6|10)|2\.1)\b/.test(status ?? '')) return 'hard';
  return /^4\./.test(status ?? '') ? 'soft' : 'internal';
}
