import type { InjectionMethod, InjectionOutcome } from '../../domain/injection';

/** How a subscriber that is there already stands, and who says so. */
export type There = { uid: string; status: string; method: InjectionMethod; subscriberId?: number };

/**
 * What a subscriber's own status says to us. We never change a status that somebody else has set:
 * - confirmed: injected; its fields are brought up to date.
 * - unsubscribed, blacklisted: never revived; it becomes our suppression.
 * - unconfirmed (has not answered the opt-in mail), unapproved (waits for an operator), disabled (by an operator), moved (to another list): there, but
 *   MailWizz mails none of them, so it is rejected with that reason. Whoever changes the status there replays the contact here.
 */
export function toStanding(contactId: number, { uid, status, method, subscriberId }: There): InjectionOutcome {
  if (status === 'confirmed') return { contactId, outcome: 'injected', uid, method, ...(subscriberId !== undefined && { subscriberId }) };
  if (status === 'unsubscribed' || status === 'blacklisted') return { contactId, outcome: 'suppressed', reason: status };
  return { contactId, outcome: 'rejected', reason: others.has(status) ? `subscriber_${status}` : 'subscriber_status_unknown' };
}
const others = new Set(['unconfirmed', 'unapproved', 'disabled', 'moved']);
