import type { DbHandle } from '../client';
import { auditLog } from '../schema';

/** One line that nobody can change afterwards; written in the transaction of what it tells. */
export async function recordAudit(db: DbHandle, entry: { actor: string; action: string; entity: string; details?: Record<string, unknown> }): Promise<void> {
  await db.insert(auditLog).values(entry);
}
