import { createBatchActivities } from './batches';
import type { Deps } from './deps';
import { createEnrichmentActivities } from './enrichment';
import { createInjectionActivities } from './injection';
import { createMaintenanceActivities } from './maintenance';
import { createPlacementActivities } from './placements';
import { createReconciliationActivities } from './reconciliation';
import { createRoutingActivities } from './routing';
import { createVerificationActivities } from './verification';

export const createActivities = (deps: Deps) => ({
  ...createBatchActivities(deps),
  ...createVerificationActivities(deps),
  ...createEnrichmentActivities(deps),
  ...createRoutingActivities(deps),
  ...createInjectionActivities(deps),
  ...createPlacementActivities(deps),
  ...createReconciliationActivities(deps),
  ...createMaintenanceActivities(deps),
});
export type Activities = ReturnType<typeof createActivities>;
