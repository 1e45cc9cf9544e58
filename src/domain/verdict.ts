import type { WaitKind } from './waiting';

export const verdictStates = ['valid', 'risky', 'invalid', 'unknown'] as const;
export type VerdictState = (typeof verdictStates)[number];
export const isVerdictState = (text: string | null): text is VerdictState => verdictStates.some((state) => state === text);

/** How far a check went; separate from what it found. */
export type Depth = 'syntax' | 'dns' | 'smtp';

/** The closed list of machine reasons (verification.md 3). */
export const verdictReasons = [
  'accepted', 'catch_all', 'catch_all_undetermined', 'cannot_verify', 'mailbox_not_found', 'mailbox_full', 'mailbox_disabled', 'mailbox_moved', 'mailbox_busy', 'address_refused',
  'no_such_domain', 'no_mail_server', 'null_mx', 'mail_server_not_found', 'unsafe_mail_server', 'dns_trouble', 'smtp_not_checked', 'greylisted', 'blocked', 'policy', 'sender_refused',
  'host_busy', 'too_many_recipients', 'connection_refused', 'connection_cut', 'timeout', 'protocol_trouble', 'tls_required', 'utf8_not_supported', 'address_literal', 'no_mail_service',
] as const;
export type VerdictReason = (typeof verdictReasons)[number];

export type Evidence = { rule: string; host?: string; ip?: string; phase?: string; code?: number; enhanced?: string; text?: string; mailFrom?: string };

export type Verdict = {
  state: VerdictState;
  reason: VerdictReason;
  depth: Depth;
  /** Another try makes sense after this kind of wait; absent: final. */
  retry?: WaitKind;
  /** A wait the server itself stated. */
  retryAfterMs?: number;
  flags: { catchAll?: 'yes' | 'no' | 'undetermined' };
  evidence: Evidence;
};
