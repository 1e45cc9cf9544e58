import type { SweepKind } from '../domain/batch';
import { maintenance } from './proxies';

/** What a schedule runs every hour: finds what was left behind and queues it again. */
export async function sweep({ kind }: { kind: SweepKind }): Promise<{ requeued: number }> {
  return maintenance.sweep({ kind });
}
