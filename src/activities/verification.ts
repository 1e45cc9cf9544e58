import { cancellationSignal } from '@temporalio/activity';
import { claimContactsToVerify, recordVerdicts, type ToVerify, type VerifiedContact } from '../../db/queries/pages';
import type { PageRange } from '../domain/batch';
import { nextWaitMs } from '../domain/waiting';
import type { Verdict } from '../domain/verdict';
import { beating } from './beating';
import type { Deps } from './deps';

/** A dialogue takes seconds, so its verdicts are kept in small lots; DNS answers come in milliseconds. */
const lotOf = { syntax: 2000, dns: 2000, smtp: 200 } as const;

export const createVerificationActivities = ({ db, verifier, settings, now }: Deps) => ({
  /**
   * Judges the addresses of a page lot by lot. An answer that is not final comes back later: the row gets its time. Safe to repeat: only undecided
   * contacts are asked about. `force` judges again whatever was known.
   */
  async verifyPage({ force = false, ...range }: PageRange & { force?: boolean }): Promise<void> {
    const page = { ...range, now: now() };
    await beating(async () => {
      for (let afterId = range.afterContactId; ; ) {
        const lot = await claimContactsToVerify(db, { ...page, force, slow: settings.depth === 'smtp', afterId, limit: lotOf[settings.depth] });
        const last = lot.at(-1);
        if (!last) return;
        const verdicts = await verifier.verifyAddresses(
          lot.map(({ id, email }) => ({ id, email, domain: email.slice(email.lastIndexOf('@') + 1) })),
          cancellationSignal(),
        );
        const attempts = new Map(lot.map((contact) => [contact.id, contact]));
        // A page may take minutes: waits begin when the answer is there.
        const answeredAt = now();
        await recordVerdicts(db, { ...page, force }, verdicts.map(({ id, verdict }) => toVerified(settings, { contactId: id, verdict, known: attempts.get(id), now: answeredAt })));
        afterId = last.id;
      }
    });
  },
});

type Judged = { contactId: number; verdict: Verdict; known: ToVerify | undefined; now: Date };

/** Unknown never becomes invalid: when its waits are used up it is validated with `email_valid` open (policy of the house). */
function toVerified({ waits }: Deps['settings'], { contactId, verdict, known, now }: Judged): VerifiedContact {
  const attempts = { ...known?.attempts };
  const wait = verdict.retry === undefined ? undefined : nextWaitMs(waits, verdict.retry, attempts[verdict.retry] ?? 0, verdict.retryAfterMs);
  if (verdict.retry !== undefined && wait !== undefined) attempts[verdict.retry] = (attempts[verdict.retry] ?? 0) + 1;
  return {
    contact_id: contactId,
    status: wait !== undefined ? 'validating' : verdict.state === 'invalid' ? 'invalid' : 'validated',
    email_valid: verdict.state === 'valid' ? true : verdict.state === 'invalid' ? false : null,
    reason: verdict.reason,
    retry_at: wait === undefined ? null : new Date(now.getTime() + wait).toISOString(),
    result: {
      state: verdict.state,
      reason: verdict.reason,
      depth: verdict.depth,
      method: verdict.depth,
      flags: verdict.flags,
      evidence: verdict.evidence,
      attempts,
      checked_at: now.toISOString(),
    },
  };
}
