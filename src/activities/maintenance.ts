import {
  failLostUploads,
  findUnroutableContacts,
  forgetKeys,
  makePartitions,
  refreshSourceTotals,
  reopenLeftRows,
  requeueBatches,
} from '../../db/queries/batches';
import { reopenRows } from '../../db/queries/contact-actions';
import { listInstanceStates } from '../../db/queries/instances';
import { listCategoryRules, loadRoutingTables } from '../../db/queries/rules';
import { alertLastingUnknowns } from '../../db/queries/reconciliations';
import { type SweepKind, uploadLostMs } from '../domain/batch';
import { enrichContact } from '../domain/enrichment';
import { routeContact } from '../domain/routing';
import { beating } from './beating';
import type { Deps } from './deps';
import { toInput } from './enrichment';

/** How long an Idempotency-Key is honoured. */
const keysKeptMs = 86_400_000;
const rowsAtOnce = 5_000;
const contactsAtOnce = 1_000;
/** A look-up settles an unknown within a minute or two: what lasts longer needs a person. */
const unknownLastsMs = 900_000;

export const createMaintenanceActivities = ({ db, log }: Pick<Deps, 'db' | 'log'>) => {
  /** Rules change: a contact that no rule could route and one can route now gets its row opened again. */
  async function reopenRoutable(): Promise<void> {
    const categoryRules = await listCategoryRules(db);
    const instances = await listInstanceStates(db);
    const known = new Set(instances.map((instance) => instance.instance_id));
    for (let afterId = 0; ; ) {
      const { contacts, throughId } = await findUnroutableContacts(db, { afterId, limit: contactsAtOnce });
      if (throughId === undefined) return;
      const tablesOf = await loadRoutingTables(db, { sourceIds: contacts.map((contact) => contact.source_id), instances });
      const routable = contacts.filter((contact) => {
        const route = routeContact(enrichContact(toInput(contact), categoryRules).category, tablesOf(contact.source_id));
        return route && known.has(route.instanceId);
      });
      await reopenRows(db, routable.map((contact) => contact.id), ['unroutable']);
      afterId = throughId;
    }
  }

  /** Answers how many batches have something to do again. */
  async function requeueLeft(stage: 'validation' | 'injection'): Promise<number> {
    let requeued = 0;
    for (let after = { batchId: 0, row: 0 }; ; ) {
      const { batchIds, last } = await reopenLeftRows(db, { stage, after, limit: rowsAtOnce });
      if (!last) return requeued;
      requeued += await requeueBatches(db, batchIds);
      after = last;
    }
  }

  return {
    /** Finds what finished runs left behind and queues it again; the relay does the rest. Safe to repeat. */
    async sweep({ kind }: { kind: SweepKind }): Promise<{ requeued: number }> {
      return beating(async () => {
        if (kind === 'statistics') {
          await makePartitions(db);
          await failLostUploads(db, uploadLostMs);
          await forgetKeys(db, keysKeptMs);
          await refreshSourceTotals(db);
          return { requeued: 0 };
        }
        if (kind === 'injection') {
          await reopenRoutable();
          await alertLastingUnknowns(db, unknownLastsMs);
        }
        const requeued = await requeueLeft(kind);
        if (requeued > 0) log.info({ kind, left: requeued }, 'sweep queued batches again');
        return { requeued };
      });
    },
  };
};
