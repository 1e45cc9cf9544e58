import { patched } from '@temporalio/workflow';
import type { SweepKind } from '../domain/batch';
import { injectionAt, maintenance } from './proxies';

/** What a schedule runs every hour: finds what was left behind, queues it again, and makes the placements that no run carries. */
export async function sweep({ kind }: { kind: SweepKind }): Promise<{ requeued: number }> {
  const swept = await maintenance.sweep({ kind });
  if (kind === 'injection' && patched('placements')) {
    const { instanceIds } = await maintenance.findLeftPlacements();
    await Promise.all(instanceIds.map((instanceId) => injectionAt(instanceId).injectPlacements({ instanceId })));
  }
  return swept;
}
