import { findUnroutableContacts, failStaleUploads, makePartitions, refreshSourceTotals, reopenLeftRows, requeueBatches } from '../../db/queries/batches';
import { reopenRows } from '../../db/queries/contact-actions';
import { listCategoryRules, loadRoutingTables } from '../../db/queries/pages';
import type { SweepKind } from '../domain/batch';
import { enrichContact } from '../domain/enrichment';
import { routeContact } from '../domain/routing';
import type { Deps } from './deps';
import { toInput } from './enrichment';

/** An upload older than this has been given up by its sender. */
const staleUploadMs = 3_600_000;
const rowsPerSweep = 10_000;
const contactsAtOnce = 1_000;

export const createMaintenanceActivities = ({ db, log }: Pick<Deps, 'db' | 'log'>) => {
  /** Rules change: a contact that no rule could route and one can route now gets its row opened again. */
  async function reopenRoutable(): Promise<void> {
    const categoryRules = await listCategoryRules(db);
    for (let afterId = 0; ; ) {
      const contacts = await findUnroutableContacts(db, { afterId, limit: contactsAtOnce });
      const last = contacts.at(-1);
      if (!last) return;
      const tablesOf = await loadRoutingTables(db, [...new Set(contacts.map((contact) => contact.source_id).filter((id) => id !== null))]);
      const routable = contacts.filter((contact) => routeContact(enrichContact(toInput(contact), categoryRules).category, tablesOf(contact.source_id)));
      await reopenRows(db, routable.map((contact) => contact.id), ['unroutable']);
      afterId = last.id;
    }
  }

  return {
    /** Finds what finished runs left behind and queues it again; the relay does the rest. Safe to repeat. */
    async sweep({ kind }: { kind: SweepKind }): Promise<{ requeued: number }> {
      if (kind === 'statistics') {
        await makePartitions(db);
        await failStaleUploads(db, staleUploadMs);
        await refreshSourceTotals(db);
        return { requeued: 0 };
      }
      if (kind === 'injection') await reopenRoutable();
      const requeued = await requeueBatches(db, await reopenLeftRows(db, { stage: kind, limit: rowsPerSweep }));
      if (requeued > 0) log.info({ kind, left: requeued }, 'sweep queued batches again');
      return { requeued };
    },
  };
};
