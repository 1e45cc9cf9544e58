import type { VerdictReason, VerdictState } from './verdict';
import type { WaitKind } from './waiting';

export type Phase = 'greeting' | 'ehlo' | 'mail' | 'rcpt';
export type Reply = { phase: Phase; code: number; enhanced: string; text: string };

/** `accepted`, `judged` (about the mailbox), `nextHost` (another mail server may know better), `reconnect` (our limit, no verdict). */
export type Judgement = { outcome: 'accepted' | 'judged' | 'nextHost' | 'reconnect'; state: VerdictState; reason: VerdictReason; retry?: WaitKind; rule: string };
type Rule = Omit<Judgement, 'rule'> & { id: string; when: (reply: Reply) => boolean };

const aboutUs = /spamhaus|spamcop|barracuda|block|blacklist|reputation|\brbl\b|denied|banned|poor|policy|spam|virus|content|spoof|relay|sender|\bhelo\b|\behlo\b|dmarc|\bspf\b|dkim|dnsbl|reverse dns|\bptr\b|listed|filter|prohibit|frequency|client host|bloqu|refus[ée]|interdit|gesperrt|verboten|abgelehnt/i;
const full = /quota|mailbox (is )?full|over ?quota|insufficient storage|exceeded storage|boîte pleine|voll/i;
const greylist = /gr[ea]y-?list|try again|postgrey|temporarily deferred|réessayer|später/i;
const senderFault = /sender address|sender verify|helo command|mail from/i;
const quoted5xx = /said: 55\d[ -]5\.1\.1|undeliverable address/i;

const unknown = (reason: VerdictReason, retry?: WaitKind) => ({ outcome: 'judged' as const, state: 'unknown' as const, reason, ...(retry && { retry }) });
const invalid = (reason: VerdictReason) => ({ outcome: 'judged' as const, state: 'invalid' as const, reason });
const enhancedIn = (reply: Reply, ...codes: string[]) => codes.some((code) => reply.enhanced.slice(1) === code);
const enhancedUnder = (reply: Reply, ...prefixes: string[]) => prefixes.some((prefix) => reply.enhanced.slice(1).startsWith(prefix));
const early = (reply: Reply) => reply.phase !== 'rcpt';

/**
 * verification.md 7: the phase decides first, then the enhanced code, then the basic code, then the text. In order; the first that fits. Before RCPT a
 * refusal is about us and can never make an address invalid.
 */
const rules: Rule[] = [
  { id: 'early-no-mail', when: (r) => r.phase === 'greeting' && (r.code === 521 || r.code === 556), outcome: 'nextHost', state: 'invalid', reason: 'no_mail_service' },
  { id: 'early-busy', when: (r) => early(r) && r.code >= 400 && r.code < 500, ...unknown('host_busy', 'busy') },
  { id: 'early-sender', when: (r) => r.phase === 'mail', ...unknown('sender_refused', 'provider') },
  { id: 'early-blocked', when: early, ...unknown('blocked', 'provider') },
  { id: 'rcpt-unverified', when: (r) => r.code === 252, outcome: 'judged', state: 'risky', reason: 'cannot_verify' },
  { id: 'rcpt-ok', when: (r) => r.code >= 200 && r.code < 300, outcome: 'accepted', state: 'valid', reason: 'accepted' },
  { id: 'rcpt-421', when: (r) => r.code === 421, ...unknown('host_busy', 'busy') },
  { id: 'rcpt-too-many', when: (r) => (r.code === 452 && !full.test(r.text) && !enhancedIn(r, '.2.2')) || enhancedIn(r, '.5.3'), outcome: 'reconnect', state: 'unknown', reason: 'too_many_recipients', retry: 'pool' },
  { id: 'rcpt-utf8', when: (r) => enhancedUnder(r, '.6.7'), ...unknown('utf8_not_supported') },
  { id: 'rcpt-full', when: (r) => enhancedIn(r, '.2.2') || r.code === 552 || full.test(r.text), outcome: 'judged', state: 'risky', reason: 'mailbox_full' },
  { id: 'rcpt-quoted-unknown', when: (r) => r.code === 450 && quoted5xx.test(r.text), ...invalid('mailbox_not_found') },
  { id: 'rcpt-greylist', when: (r) => r.code < 500 && (enhancedUnder(r, '.7.') || greylist.test(r.text)), ...unknown('greylisted', 'greylist') },
  { id: 'rcpt-busy', when: (r) => r.code < 500, ...unknown('mailbox_busy', 'busy') },
  { id: 'rcpt-edge-block', when: (r) => enhancedIn(r, '.4.1'), ...invalid('mailbox_not_found') },
  { id: 'rcpt-tls', when: (r) => r.code === 530, ...unknown('tls_required') },
  { id: 'rcpt-policy', when: (r) => enhancedUnder(r, '.7.', '.1.7', '.1.8'), ...unknown('policy', 'provider') },
  { id: 'rcpt-sender', when: (r) => senderFault.test(r.text), ...unknown('sender_refused', 'provider') },
  { id: 'rcpt-no-mailbox', when: (r) => enhancedIn(r, '.1.1', '.1.2', '.1.3', '.1.10', '.1.0') && !aboutUs.test(r.text), ...invalid('mailbox_not_found') },
  { id: 'rcpt-moved', when: (r) => r.code === 551 || enhancedIn(r, '.1.6'), ...invalid('mailbox_moved') },
  { id: 'rcpt-disabled', when: (r) => enhancedIn(r, '.2.1') && !aboutUs.test(r.text), ...invalid('mailbox_disabled') },
  { id: 'rcpt-blocked-words', when: (r) => aboutUs.test(r.text), ...unknown('blocked', 'provider') },
  { id: 'rcpt-system', when: (r) => [500, 502, 503, 504, 535, 555].includes(r.code) || enhancedUnder(r, '.3.', '.4.', '.5.'), ...unknown('protocol_trouble', 'busy') },
  { id: 'rcpt-form', when: (r) => r.code === 501 || r.code === 513 || r.code === 533, ...invalid('address_refused') },
  { id: 'rcpt-554', when: (r) => r.code === 554 && !/user unknown|no such user/i.test(r.text), ...unknown('policy', 'provider') },
  { id: 'rcpt-refused', when: (r) => r.code >= 550 && r.code < 560, ...invalid('mailbox_not_found') },
];

export function classifyReply(reply: Reply): Judgement {
  const found = rules.find((rule) => rule.when(reply));
  if (!found) return { ...unknown('protocol_trouble', 'busy'), rule: 'none' };
  const { id, when: _, ...judgement } = found;
  return { ...judgement, rule: id };
}
