import { type BounceClass, type MailEvent, type MailEventType, repeatable, weighsMoreThan } from './mail-event';

/** What a contact did with the mails of one campaign. It follows from the events that are stored, whatever order they came in: first times, counts, the weightiest bounce. */
export type Activity = {
  campaignId: number;
  contactId: number;
  legId: number;
  sourceId: string;
  pool: string;
  firstAt: Record<MailEventType, string | null>;
  opens: number;
  clicks: number;
  bounceClass: BounceClass | null;
};
export type ActivityEvent = Pick<MailEvent, 'type' | 'at' | 'bounceClass'>;

/** A change of one figure: `total` counts opens and clicks each, everything else once per contact; `contacts` the contacts, on the day of their first. */
export type EventCount = { campaignId: number; legId: number; sourceId: string; pool: string; day: string; eventType: MailEventType; total: number; contacts: number };

/** What happens once and has happened. Bounces differ in weight, and each weight is a fact of its own: they are told apart by their key. */
export const isKnown = ({ firstAt }: Activity, { type }: ActivityEvent) => type !== 'bounced' && !repeatable.has(type) && firstAt[type] !== null;

/** The activity with one more event, and what that changes in the figures. */
export function addEvent(activity: Activity, event: ActivityEvent): { activity: Activity; counts: EventCount[] } {
  const { type, at } = event;
  const before = activity.firstAt[type];
  const first = before === null || at < before ? at : before;
  const after: Activity = {
    ...activity,
    firstAt: { ...activity.firstAt, [type]: first },
    opens: activity.opens + (type === 'opened' ? 1 : 0),
    clicks: activity.clicks + (type === 'clicked' ? 1 : 0),
    bounceClass: event.bounceClass !== null && weighsMoreThan(event.bounceClass, activity.bounceClass) ? event.bounceClass : activity.bounceClass,
  };
  const count = (time: string, total: number, contacts: number): EventCount => ({
    campaignId: activity.campaignId,
    legId: activity.legId,
    sourceId: activity.sourceId,
    pool: activity.pool,
    day: dayOf(time),
    eventType: type,
    total,
    contacts,
  });
  const once = !repeatable.has(type);
  if (before === null) return { activity: after, counts: [count(at, 1, 1)] };
  const moved = dayOf(first) === dayOf(before) ? [] : [count(before, once ? -1 : 0, -1), count(first, once ? 1 : 0, 1)];
  return { activity: after, counts: once ? moved : [count(at, 1, 0), ...moved] };
}

/** One change per figure, in the order of the table's key: whoever writes several takes their locks in this order. */
export function sumCounts(counts: EventCount[]): EventCount[] {
  const sums = new Map<string, EventCount>();
  for (const count of counts) {
    const key = keyOf(count);
    const sum = sums.get(key);
    sums.set(key, sum ? { ...sum, total: sum.total + count.total, contacts: sum.contacts + count.contacts } : count);
  }
  return [...sums].filter(([, { total, contacts }]) => total !== 0 || contacts !== 0).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
}

const keyOf = ({ campaignId, legId, sourceId, pool, day, eventType }: EventCount) => [campaignId, legId, sourceId, pool, day, eventType].join('\t');
const dayOf = (iso: string) => iso.slice(0, 10);
