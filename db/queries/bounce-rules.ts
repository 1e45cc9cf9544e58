import type { BounceClass } from '../../src/domain/mail-event';
import type { DbReader } from '../client';
import { bounceCategories } from '../schema';

const categoriesAtMost = 1_000;

/** How PowerMTA's categories of bounces are to be read. */
export async function listBounceCategories(db: DbReader): Promise<Map<string, BounceClass>> {
  const rows = await db.select({ category: bounceCategories.category, bounceClass: bounceCategories.bounceClass }).from(bounceCategories).limit(categoriesAtMost);
  return new Map(rows.map((row) => [row.category, row.bounceClass]));
}
