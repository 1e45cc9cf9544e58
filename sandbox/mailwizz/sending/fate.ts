import { createHash } from 'node:crypto';
import { z } from 'zod';

/** What a delivery log may say besides `success`; `blacklisted` is not drawn, it comes from the blacklists. */
export const failureStatuses = [
  'error',
  'fatal-error',
  'temporary-error',
  'suppressed',
  'giveup',
  'blocked',
  'ds-dp-reject',
  'hdl-by-sg-cmp',
] as const;
export type DeliveryStatus = (typeof failureStatuses)[number] | 'success' | 'blacklisted';

const share = z.number().min(0).max(1).default(0);
const reactionShares = {
  opens: share,
  repeat_opens: share,
  clicks: share,
  repeat_clicks: share,
  hard_bounces: share,
  soft_bounces: share,
  internal_bounces: share,
  complaints: share,
  unsubscribes: share,
};

/** Shares of the delivered mails (repeats: of the opens and clicks; delivery: of all mails). What is not named is 0: every mail arrives, and nobody stirs. */
export const ratesBody = z.strictObject({
  seed: z
    .union([z.string().max(50), z.int()])
    .default('1')
    .transform(String),
  /** Reactions come within so many seconds after the mail; 0: in the same tick. */
  spread_seconds: z
    .int()
    .min(0)
    .max(30 * 86_400)
    .default(0),
  delivery: z.partialRecord(z.enum(failureStatuses), share).default({}),
  ...reactionShares,
});
export type Rates = z.infer<typeof ratesBody>;
export type ReactionKind = 'open' | 'click' | 'hard-bounce' | 'soft-bounce' | 'internal-bounce' | 'complaint' | 'unsubscribe';
export type Reaction = { kind: ReactionKind; afterSeconds: number; urlIndex?: number; detail?: string; ip: string; agent: string };

/** Why mails come back: the text MailWizz stores, and what PowerMTA's accounting says of the same bounce. */
export const bounceReasons = [
  {
    type: 'hard',
    message: '5.1.1 : Recipient address rejected: User unknown in virtual mailbox table',
    status: '5.1.1',
    category: 'bad-mailbox',
  },
  { type: 'hard', message: '5.2.1 : The email account that you tried to reach is disabled', status: '5.2.1', category: 'inactive-mailbox' },
  { type: 'hard', message: '5.1.2 : Host or domain name not found', status: '5.1.2', category: 'bad-domain' },
  { type: 'soft', message: '4.2.2 : Mailbox full', status: '4.2.2', category: 'quota-issues' },
  { type: 'soft', message: '4.4.1 : Connection timed out', status: '4.4.1', category: 'no-answer-from-host' },
  { type: 'internal', message: '5.7.1 : Message refused by policy', status: '5.7.1', category: 'policy-related' },
  { type: 'internal', message: '5.7.1 : Message looks like spam', status: '5.7.1', category: 'spam-related' },
] as const;
export type BounceType = (typeof bounceReasons)[number]['type'];

const agents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)',
  'Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.12.0',
];
const complaintText = 'Abuse complaint received through the feedback loop';

/** Sixteen numbers in [0, 1) that hang on nothing but the words: the same address has the same fate, whatever the order of sending. */
function draw(...words: string[]): (index: number) => number {
  const digest = createHash('sha512').update(words.join('\n')).digest();
  return (index) => digest.readUInt32BE(4 * index) / 2 ** 32;
}
const pick = <T>(choices: readonly T[], number: number): T | undefined => choices[Math.floor(number * choices.length)];

export function decideDelivery(rates: Rates, campaignName: string, email: string): DeliveryStatus {
  const number = draw(rates.seed, 'delivery', campaignName, email.toLowerCase())(0);
  let below = 0;
  for (const status of failureStatuses) {
    below += rates.delivery[status] ?? 0;
    if (number < below) return status;
  }
  return 'success';
}

export function expectsReactions({
  opens,
  clicks,
  hard_bounces,
  soft_bounces,
  internal_bounces,
  complaints,
  unsubscribes,
}: Rates): boolean {
  return [opens, clicks, hard_bounces, soft_bounces, internal_bounces, complaints, unsubscribes].some((rate) => rate > 0);
}

/** What follows a delivered mail. A mail that bounced is not read; one draw decides over open and click, so that whoever clicks has also opened. */
export function decideReactions(rates: Rates, campaignName: string, email: string, urls: number): Reaction[] {
  const number = draw(rates.seed, 'reactions', campaignName, email.toLowerCase());
  const from = {
    ip: `${pick(['192.0.2', '198.51.100', '203.0.113'], number(0)) ?? '192.0.2'}.${1 + Math.floor(number(1) * 254)}`,
    agent: pick(agents, number(2)) ?? '',
  };
  const after = (index: number) => Math.floor(number(index) * rates.spread_seconds);
  const bounce = bounceOf(rates, number(3));
  if (bounce)
    return [{ kind: `${bounce}-bounce`, afterSeconds: after(4), detail: pick(reasonsOf(bounce), number(5))?.message ?? '', ...from }];

  const reactions: Reaction[] = [];
  const openAfter = after(7);
  const clickAfter = Math.max(openAfter, after(9));
  const clicks = urls > 0 && number(6) < rates.clicks;
  if (number(6) < rates.opens) {
    reactions.push({ kind: 'open', afterSeconds: openAfter, ...from });
    if (number(8) < rates.repeat_opens) reactions.push({ kind: 'open', afterSeconds: rates.spread_seconds, ...from });
  }
  if (clicks) {
    const urlIndex = Math.floor(number(10) * urls);
    reactions.push({ kind: 'click', afterSeconds: clickAfter, urlIndex, ...from });
    if (number(11) < rates.repeat_clicks) reactions.push({ kind: 'click', afterSeconds: rates.spread_seconds, urlIndex, ...from });
  }
  if (number(12) < rates.complaints) reactions.push({ kind: 'complaint', afterSeconds: after(13), detail: complaintText, ...from });
  if (number(14) < rates.unsubscribes) reactions.push({ kind: 'unsubscribe', afterSeconds: after(15), ...from });
  return reactions;
}

export const reasonsOf = (type: BounceType) => bounceReasons.filter((reason) => reason.type === type);

function bounceOf(rates: Rates, number: number): BounceType | undefined {
  if (number < rates.hard_bounces) return 'hard';
  if (number < rates.hard_bounces + rates.soft_bounces) return 'soft';
  return number < rates.hard_bounces + rates.soft_bounces + rates.internal_bounces ? 'internal' : undefined;
}
