import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import { maintenance, reconciliationAt } from './proxies';

/** Compares every list of every instance in service (or of the one named) with our ledger. One instance in trouble does not keep the others from it. */
export async function reconcile({ instanceId }: { instanceId?: string } = {}): Promise<void> {
  const { instanceIds } = await maintenance.findReconcilable(instanceId === undefined ? {} : { instanceId });
  const results = await Promise.allSettled(instanceIds.map(reconcileInstance));
  const failed = results.flatMap((result, index) => (result.status === 'rejected' ? [{ id: instanceIds[index], reason: result.reason as unknown }] : []));
  const cancelled = failed.find(({ reason }) => isCancellation(reason));
  if (cancelled) throw cancelled.reason;
  if (failed.length > 0) throw ApplicationFailure.nonRetryable(`could not be compared: ${failed.map(({ id }) => id).join(', ')}`, 'unavailable');
}

async function reconcileInstance(instanceId: string): Promise<void> {
  const { ids } = await reconciliationAt(instanceId).openReconciliations({ instanceId });
  for (const id of ids) await reconciliationAt(instanceId).reconcileList({ id });
}
