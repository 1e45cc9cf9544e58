import { listInstanceStates, recordLists } from '../../db/queries/instances';
import {
  findMissing,
  findSeenUids,
  finishReconciliation,
  getReconciliation,
  openReconciliations,
  type Reconciliation,
  recordSeenPage,
  type SeenSubscriber,
} from '../../db/queries/reconciliations';
import type { Sought, StandingSubscriber } from '../adapters/mailwizz/types';
import { parseAddress } from '../domain/address';
import { weighsMore } from '../domain/injection';
import { beating } from './beating';
import type { Deps } from './deps';

const subscribersAtOnce = 1_000;
/** Of those that seem to be missing. */
const lookedUpAtOnce = 100;
/** So many surely gone are an alert, whatever becomes of the others. */
const goneAtMost = 500;
const roundsAtMost = 100;

/** Compares our ledger with what MailWizz holds, both ways, list by list (design 6). */
export const createReconciliationActivities = ({ db, mailwizz, now, log }: Deps) => {
  return {
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
          if (comparison.cursor === atEnd) {
            await lookForMissing(comparison);
            break;
          }
          const { instanceId, listId } = comparison;
          const { subscribers, unreadable, cursor } = await mailwizz.readSubscribers({ instanceId, listId }, comparison.cursor ?? undefined, subscribersAtOnce);
          const { rows, strange } = byAddress(subscribers);
          const seen = await settleDoubles(comparison, rows);
          await recordSeenPage(db, { comparison, seen, unreadable: unreadable + strange, next: cursor ?? atEnd, now: now() });
        }
        const { instanceId, listId, missing, doubled, settled } = await finishReconciliation(db, id);
        log.info({ instanceId, listId, lost: missing, count: settled, left: doubled }, 'list compared with our ledger');
      });
    },
  };

  /** An address under two uids is doubled only when both are there at this moment: one may have been deleted and made anew while the pages were read. */
  async function settleDoubles(comparison: Reconciliation, rows: Map<string, Rows>): Promise<SeenSubscriber[]> {
    const before = await findSeenUids(db, { comparison, hashes: [...rows.keys()] });
    const suspects = new Map<string, Sought>();
    for (const [hash, found] of rows) {
      const uids = new Set([before.get(hash) ?? found[0].uid, ...found.map(({ uid }) => uid)]);
      if (uids.size > 1) suspects.set(hash, { email: found[0].email, uids: [...uids] });
    }
    const there = byAddress(await mailwizz.findSubscribers(comparison, [...suspects.values()])).rows;
    return [...rows].map(([hash, found]) => toSeen(hash, (suspects.has(hash) && there.get(hash)) || found));
  }

  /** Pages shift while a list is in use, so that reading them may pass a subscriber by: who seems to be missing is looked up. */
  async function lookForMissing(comparison: Reconciliation): Promise<void> {
    let gone = 0;
    let afterId = 0;
    for (let round = 0; round < roundsAtMost && gone < goneAtMost; round += 1) {
      const missing = await findMissing(db, { comparison, afterId, limit: lookedUpAtOnce });
      const sought = missing.map(({ email, uid }) => ({ email, uids: uid === null ? [] : [uid] }));
      const { rows } = byAddress(await mailwizz.findSubscribers(comparison, sought));
      const seen = [...rows].map(([hash, found]) => toSeen(hash, found));
      await recordSeenPage(db, { comparison, seen, unreadable: 0, next: atEnd, now: now() });
      gone += missing.length - seen.length;
      afterId = missing.at(-1)?.contact_id ?? afterId;
      if (missing.length < lookedUpAtOnce) return;
    }
  }
};

/** Where a list ends; no cursor of an instance looks like it. */
const atEnd = 'end';

/** All rows of one address. */
type Rows = [StandingSubscriber, ...StandingSubscriber[]];

/** Of two rows with one address the weightier counts, as everywhere. */
function toSeen(email_hash: string, rows: Rows): SeenSubscriber {
  const { uid, status } = rows.reduce((before, row) => (weighsMore(row.status, before.status) ? row : before));
  return { email_hash, uid, status, doubled: rows.some((row) => row.uid !== uid) };
}

/** Addresses that are none to us are only counted. */
function byAddress(subscribers: StandingSubscriber[]): { rows: Map<string, Rows>; strange: number } {
  const rows = new Map<string, Rows>();
  let strange = 0;
  for (const subscriber of subscribers) {
    const address = parseAddress(subscriber.email);
    if ('problem' in address) {
      strange += 1;
      continue;
    }
    const before = rows.get(address.emailHash);
    if (before) before.push(subscriber);
    else rows.set(address.emailHash, [subscriber]);
  }
  return { rows, strange };
}
