import { listInstanceStates, recordLists } from '../../db/queries/instances';
import { finishReconciliation, getReconciliation, openReconciliations, recordSeenPage, type SeenSubscriber } from '../../db/queries/reconciliations';
import { parseAddress } from '../domain/address';
import { weighsMore } from '../domain/injection';
import { beating } from './beating';
import type { Deps } from './deps';

const subscribersAtOnce = 1_000;

/** Compares our ledger with what MailWizz holds, both ways, list by list (design 6). */
export const createReconciliationActivities = ({ db, mailwizz, now, log }: Deps) => ({
  /** Instances in service, all or the one that was asked for. */
  async findReconcilable({ instanceId }: { instanceId?: string }): Promise<{ instanceIds: string[] }> {
    const ready = (await listInstanceStates(db)).filter((instance) => instance.ready).map((instance) => instance.instance_id);
    return { instanceIds: ready.filter((id) => instanceId === undefined || id === instanceId) };
  },

  /** Reads the lists of an instance anew and opens a comparison for each. Safe to repeat: one that is open is taken up. */
  async openReconciliations({ instanceId }: { instanceId: string }): Promise<{ ids: number[] }> {
    await recordLists(db, instanceId, await mailwizz.readLists(instanceId));
    return { ids: await openReconciliations(db, { instanceId, now: now() }) };
  },

  /** Reads one list to its end, page by page. Safe to repeat: goes on behind the last page that was recorded. */
  async reconcileList({ id }: { id: number }): Promise<void> {
    await beating(async () => {
      for (;;) {
        const comparison = await getReconciliation(db, id);
        if (comparison.finishedAt !== null) return;
        if (comparison.cursor === atEnd) break;
        const { instanceId, listId } = comparison;
        const { subscribers, unreadable, cursor } = await mailwizz.readSubscribers({ instanceId, listId }, comparison.cursor ?? undefined, subscribersAtOnce);
        const { seen, strange } = toSeen(subscribers);
        await recordSeenPage(db, { comparison, seen, unreadable: unreadable + strange, next: cursor ?? atEnd, now: now() });
      }
      const { instanceId, listId, missing, doubled, settled } = await finishReconciliation(db, id);
      log.info({ instanceId, listId, lost: missing, count: settled, left: doubled }, 'list compared with our ledger');
    });
  },
});

/** Where a list ends; no cursor of an instance looks like it. */
const atEnd = 'end';

/** Of two rows with one address the weightier counts, as everywhere. */
const weigh = (before: SeenSubscriber | undefined, seen: SeenSubscriber): SeenSubscriber =>
  before === undefined ? seen : { ...(weighsMore(before.status, seen.status) ? before : seen), doubled: true };

/** One entry per address; addresses that are none to us are only counted. */
function toSeen(subscribers: { email: string; uid: string; status: string }[]): { seen: SeenSubscriber[]; strange: number } {
  const byHash = new Map<string, SeenSubscriber>();
  let strange = 0;
  for (const { email, uid, status } of subscribers) {
    const address = parseAddress(email);
    if ('problem' in address) strange += 1;
    else byHash.set(address.emailHash, weigh(byHash.get(address.emailHash), { email_hash: address.emailHash, uid, status, doubled: false }));
  }
  return { seen: [...byHash.values()], strange };
}
