import type { ContactStatus, suppressionReasons } from './contact';

/** What can happen to a mail after it was handed over; each is a type of contact event. */
export const mailEventTypes = ['sent', 'delivered', 'bounced', 'opened', 'clicked', 'unsubscribed', 'spam_report'] as const;
export type MailEventType = (typeof mailEventTypes)[number];

/** Opens and clicks may come again; everything else happens once to a mail, whatever reports it and when. */
export const repeatable: ReadonlySet<MailEventType> = new Set(['opened', 'clicked']);

/** `internal`: about us or the way, not about the address. Later ones weigh more. */
export const bounceClasses = ['internal', 'soft', 'hard'] as const;
export type BounceClass = (typeof bounceClasses)[number];
export const weighsMoreThan = (a: BounceClass, b: BounceClass | null) => b === null || bounceClasses.indexOf(a) > bounceClasses.indexOf(b);

/** What we ask MailWizz for ourselves; the last two only its MySQL tells. */
export const pollLogs = ['deliveries', 'bounces', 'unsubscribes', 'complaints', 'opens', 'clicks'] as const;
export type PollLog = (typeof pollLogs)[number];

export const carryStates = ['done', 'absent', 'failed'] as const;

/** How an event came to us: `contact_events.source`. */
export const eventWays = ['mailwizz_webhook', 'mailwizz_poll', 'pmta', 'manual'] as const;
export type EventWay = (typeof eventWays)[number];

/** One report of one event, from whatever way, in our words. Serialises to JSON and back (times are ISO). */
export type MailEvent = {
  type: MailEventType;
  way: EventWay;
  /** Null when the way does not say it (PowerMTA): the campaign does. */
  instanceId: string | null;
  campaignUid: string | null;
  subscriberUid: string | null;
  email: string | null;
  emailHash: string | null;
  /** Its own time, as it is ordered and partitioned; what was really written is in `data`. */
  at: string;
  receivedAt: string;
  bounceClass: BounceClass | null;
  url: string | null;
  ip: string | null;
  userAgent: string | null;
  data: Record<string, string>;
};

export type SuppressionReason = (typeof suppressionReasons)[number];
/** What an event orders for its address, for good. */
export type Order = { status: Extract<ContactStatus, 'bounced' | 'unsubscribed' | 'blacklisted'>; reason: SuppressionReason };

/** A soft bounce orders nothing by itself; the rule on repeated ones is data. */
export function toOrder({ type, bounceClass }: Pick<MailEvent, 'type' | 'bounceClass'>): Order | undefined {
  if (type === 'spam_report') return { status: 'blacklisted', reason: 'spam_report' };
  if (type === 'unsubscribed') return { status: 'unsubscribed', reason: 'unsubscribed' };
  return type === 'bounced' && bounceClass === 'hard' ? { status: 'bounced', reason: 'bounced' } : undefined;
}

/** Heavier orders come later: what is ordered stays, whatever comes in which order. */
export const orderRanks = ['manual', 'bounced', 'unsubscribed', 'spam_report', 'blacklisted'] as const satisfies readonly SuppressionReason[];
export const statusRanks = ['bounced', 'unsubscribed', 'blacklisted'] as const satisfies readonly ContactStatus[];

/** Clocks differ by minutes; nothing is reported before it happens. */
const aheadMs = 5 * 60_000;
/** What is older is no news, and the months of then may be gone. */
const oldestMs = 395 * 86_400_000;

/** The time an event is ordered by: its own, unless it is absurd (future, 1970, none at all): then when we heard of it. ISO, to the second or finer as it came. */
export function clampTime(ownMs: number | undefined, receivedMs: number): string {
  const sane = ownMs !== undefined && ownMs <= receivedMs + aheadMs && ownMs >= receivedMs - oldestMs;
  return new Date(sane ? ownMs : receivedMs).toISOString();
}

/** Mailbox providers by the domain of an address; a domain of one's own may be hosted by them too, and counts as `other`. */
const pools: Record<string, string> = {
  google: 'gmail.com googlemail.com',
  microsoft: 'outlook.com outlook.fr hotmail.com hotmail.fr hotmail.co.uk live.com live.fr msn.com',
  yahoo: 'yahoo.com yahoo.fr yahoo.co.uk ymail.com rocketmail.com aol.com',
  apple: 'icloud.com me.com mac.com',
  orange: 'orange.fr wanadoo.fr',
  free: 'free.fr',
  sfr: 'sfr.fr neuf.fr',
  laposte: 'laposte.net',
  gmx: 'gmx.com gmx.de gmx.net gmx.fr web.de',
};
const poolOfDomain = new Map(Object.entries(pools).flatMap(([pool, domains]) => domains.split(' ').map((domain) => [domain, pool] as const)));
export const toPool = (email: string) => poolOfDomain.get(email.slice(email.lastIndexOf('@') + 1)) ?? 'other';
