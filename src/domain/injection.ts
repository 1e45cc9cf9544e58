export const injectionStates = ['pending', 'sending', 'injected', 'rejected', 'unknown'] as const;

export const injectionMethods = ['api', 'mysql'] as const;
export type InjectionMethod = (typeof injectionMethods)[number];

export type Target = { instanceId: string; listId: number };

/** A contact as an instance needs it; `email` keeps the local part as first delivered. */
export type OutgoingContact = {
  contactId: number;
  email: string;
  firstName: string | null;
  lastName: string | null;
  company: string | null;
  phone: string | null;
  website: string | null;
  sourceId: string | null;
  category: string | null;
  tags: string[];
  countryCode: string | null;
  language: string | null;
  bucket: string;
  /** Numbers of all sources that gave it, and the score: for segments. */
  sources?: number[];
  score?: number;
  /** When it was taken from the ledger; without it, the moment it is handed over counts. */
  claimedAtMs?: number;
};

/**
 * What one attempt to place a contact came to.
 * `pending`: surely nothing happened, try again later. `unknown`: it may have happened; only a look-up settles it.
 */
export type InjectionOutcome =
  /** `reason`: what an operator should know all the same. */
  | { contactId: number; outcome: 'injected'; uid: string; method: InjectionMethod; subscriberId?: number; reason?: string }
  | { contactId: number; outcome: 'rejected'; reason: string }
  | { contactId: number; outcome: 'suppressed'; reason: string }
  | { contactId: number; outcome: 'pending'; reason: string }
  | { contactId: number; outcome: 'unknown'; reason: string };

/** No request for a contact starts later than this after its claim: a worker that slept meanwhile sends nothing any more. */
export const sendWindowMs = 20_000;

/** No request, and no transaction in an instance's tables, lives longer. */
export const requestLifeMs = 30_000;

/** Longer than any request of ours can be on its way after the claim: from then on an address that is absent was surely not stored. */
export const quietPeriodMs = sendWindowMs + requestLifeMs + 10_000;

/** One queue per instance: a slow MailWizz holds only its own contacts. */
export const instanceQueue = (taskQueue: string, instanceId: string) => `${taskQueue}:instance:${instanceId}`;

/** TAGSET as `|a|b|`, so that a segment can match one tag exactly. A tag with a bar in it would pass for two others. */
export function toTagSet(tags: readonly string[]): string {
  const whole = tags.filter((tag) => !tag.includes('|'));
  return whole.length === 0 ? '' : `|${whole.join('|')}|`;
}

/** BUCKET: four stable digits out of the address hash (hex), for ranges of an audience. */
export const toBucket = (emailHash: string) => String(Number.parseInt(emailHash.slice(0, 8), 16) % 10_000).padStart(4, '0');

/** Of several rows with one address (no key of MailWizz forbids them) an order not to mail weighs most, then a subscriber who gets mail. */
export const weighsMore = (status: string, than: string) => rank(status) < rank(than);
const rank = (status: string) => (status === 'unsubscribed' || status === 'blacklisted' ? 0 : status === 'confirmed' ? 1 : 2);
