import { z } from 'zod';
import { batchStates, rowFates, rowOutcomes } from '../domain/batch';

const count = z.number().int().min(0);
export const counts = z.object({ received: count, accepted: count, duplicates: count, rejected: count, injected: count, invalid: count, suppressed: count, unroutable: count, failed: count, waiting: count });
const moment = z.string().nullable();
export const ingestAnswer = z.object({ batch_id: z.string(), received: count, accepted: count.optional(), duplicates: count.optional(), rejected: count.optional() });
export const batchAnswer = counts.extend({
  batch_id: z.string(), source_id: z.string(), state: z.enum(batchStates), error: z.string().nullable(), created_at: moment, ingested_at: moment, completed_at: moment, run: z.string().nullable(), rows: z.string(),
});
export const rowAnswer = z.object({
  row: count, outcome: z.enum(rowOutcomes).nullable(), reason: z.string().nullable(), field: z.string().nullable(), contact_id: z.number().nullable(),
  fate: z.enum(rowFates).nullable(), fate_reason: z.string().nullable(), retry_at: moment, payload: z.unknown(),
});
export const rowsAnswer = z.object({ items: z.array(rowAnswer), next: z.number().nullable() });
export const problem = z.object({
  type: z.string(), title: z.string(), status: z.number().int(), detail: z.string(), request_id: z.string(),
  errors: z.array(z.object({ field: z.string(), reason: z.string(), message: z.string() })).optional(),
});
/** A page of a list; the items are described in words. */
export const listAnswer = z.object({ items: z.array(z.record(z.string(), z.unknown())), page: count, limit: count, total: count });
export const anyAnswer = z.record(z.string(), z.unknown());
export const previewAnswer = z.object({ template_id: z.number(), version: count, subject: z.string(), html: z.string(), text: z.string().nullable(), missing: z.array(z.string()) });
