import type { ClaimedContact } from '../../db/queries/injections';
import { listInstanceStates } from '../../db/queries/instances';
import { loadRoutingTables } from '../../db/queries/rules';
import {
  claimPlacements,
  findPlacementInstances,
  findSightings,
  insertPlacements,
  type Placement,
  recordPlacements,
  type SightingRow,
} from '../../db/queries/placements';
import type { InjectionOutcome } from '../domain/injection';
import { routeContact } from '../domain/routing';
import { judgeRow } from '../schemas/contact-row';
import { beating } from './beating';
import type { Deps } from './deps';
import { settleClaims } from './injection';

const rowsAtOnce = 1000;
const placementsAtOnce = 500;

/** Two sources may send one contact to two clients (specification 12.1, point 10): the second client is one more placement in the ledger. */
export const createPlacementActivities = (deps: Deps) => {
  const { db, now, log } = deps;
  return {
    /** Routes the sightings of known contacts by their own source and category; answers the instances with placements to make. Safe to repeat. */
    async routeSightings({ batchIds }: { batchIds: number[] }): Promise<{ instanceIds: string[] }> {
      return beating(async () => {
        const instances = await listInstanceStates(db);
        const known = new Set(instances.map((instance) => instance.instance_id));
        for (let after = { batchId: 0, row: 0 }; ;) {
          const rows = await findSightings(db, { batchIds, after, limit: rowsAtOnce });
          const last = rows.at(-1);
          if (!last) return { instanceIds: await findPlacementInstances(db, batchIds) };
          const tablesOf = await loadRoutingTables(db, { sourceIds: rows.map((row) => row.source_id), instances });
          await insertPlacements(
            db,
            rows.flatMap((row): Placement[] => {
              const route = row.is_deleted ? undefined : routeContact(categoryOf(row), tablesOf(row.source_id));
              if (!route || !known.has(route.instanceId) || route.instanceId === row.instance_id) return [];
              if (route.crossed)
                log.info({ contactId: row.contact_id, rule: route.rule, instanceId: route.instanceId }, 'contact crossed over to another client');
              return [{ contact_id: row.contact_id, instance_id: route.instanceId, list_id: route.listId, rule: route.rule, batch_id: row.batch_id }];
            }),
          );
          after = { batchId: last.batch_id, row: last.row_number };
        }
      });
    },

    /** Makes the placements that batches asked for, or, without batches, all of the instance that no run carries. Safe to repeat. */
    async injectPlacements({ instanceId, batchIds }: { instanceId: string; batchIds?: number[] }): Promise<void> {
      await beating(async () => {
        for (let afterId = 0; ;) {
          const claim = { instanceId, batchIds, afterId, limit: placementsAtOnce, now: now() };
          const { fresh, unsettled, throughId } = await claimPlacements(db, claim);
          if (throughId === undefined) return;
          const record = (claimed: ClaimedContact[], outcomes: InjectionOutcome[], lookedUp: boolean) =>
            recordPlacements(db, { ...claim, now: now() }, claimed, outcomes, lookedUp);
          if (!(await settleClaims(deps, { instanceId, fresh, unsettled, record }))) return;
          afterId = throughId;
        }
      });
    },

    /** Instances in service with placements that no run carries. */
    async findLeftPlacements(): Promise<{ instanceIds: string[] }> {
      return { instanceIds: await findPlacementInstances(db, undefined) };
    },
  };
};

/** The row's own word, else what the contact is. */
function categoryOf(row: SightingRow): string | null {
  const judged = judgeRow(row.payload);
  return ('contact' in judged ? judged.contact.category : null) ?? row.category;
}
