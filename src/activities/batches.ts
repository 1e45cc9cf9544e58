import {
  closeBatches,
  findNextDue,
  findPageEnds,
  recordIngested,
  recordRunStart,
} from '../../db/queries/batches';
import {
  type AcceptableRow,
  type Blanks,
  countBatches,
  fillBlanks,
  findDuplicateRows,
  findRawRows,
  type RawRow,
  recordJudgedRows,
  type RejectedRow,
} from '../../db/queries/ingest';
import type { BatchCounts, PageRange } from '../domain/batch';
import { pageSize, rowsAtOnce } from '../domain/batch';
import { toDueBucket } from '../domain/waiting';
import { judgeRow, type JudgedContact } from '../schemas/contact-row';
import type { Db } from '../../db/client';
import { beating } from './beating';
import type { Deps } from './deps';
import { codeOf } from './failures';

type Run = { batchIds: number[] };

export const createBatchActivities = ({ db, settings, now }: Deps) => ({
  /** Tells the batches which workflow carries them, and answers those that it may: one that another run took first is left to that. Safe to repeat. */
  async openRun({ batchIds, workflowId }: Run & { workflowId: string }): Promise<Run> {
    return { batchIds: await recordRunStart(db, { batchIds, workflowId }) };
  },

  /** Judges every row alone and stores new contacts, page by page. Safe to repeat: goes on with the first row that has no outcome. */
  async ingestRows({ batchIds }: Run): Promise<void> {
    await beating(async () => {
      for (let after = firstRow; ; ) {
        const rows = await findRawRows(db, { batchIds, after, limit: rowsAtOnce });
        const last = rows.at(-1);
        if (!last) return;
        await recordOrBisect(db, judgeRows(rows));
        after = { batchId: last.batch_id, row: last.row_number };
      }
    });
  },

  /** Merges repeated rows into the contacts they repeat, and answers the counts of the ingest step. Safe to repeat: a merge fills blanks only. */
  async dedupeRows({ batchIds }: Run): Promise<BatchCounts> {
    await beating(async () => {
      for (let after = firstRow; ; ) {
        const rows = await findDuplicateRows(db, { batchIds, after, limit: rowsAtOnce });
        const last = rows.at(-1);
        if (!last) return;
        await fillBlanks(db, mergeRows(rows));
        after = { batchId: last.batch_id, row: last.row_number };
      }
    });
    await recordIngested(db, batchIds);
    return countBatches(db, batchIds);
  },

  /** The next pages of open rows that are due. */
  async nextPages({ batchIds, afterContactId, limit }: Run & { afterContactId: number; limit: number }): Promise<PageRange[]> {
    const ends = await findPageEnds(db, { batchIds, afterContactId, pageSize, pages: limit, now: now() });
    return ends.map((throughContactId, index) => ({ batchIds, afterContactId: ends[index - 1] ?? afterContactId, throughContactId }));
  },

  /** How long until the next bucket of waiting rows is due; undefined when nothing waits for this run. */
  async nextDue({ batchIds }: Run): Promise<{ inMs: number; waiting: number } | undefined> {
    const due = await findNextDue(db, batchIds);
    if (!due) return undefined;
    return { inMs: Math.max(0, toDueBucket(due.dueAtMs, settings.dueBucketMs) - now().getTime()), waiting: due.waiting };
  },

  async countBatch({ batchIds }: Run): Promise<BatchCounts> {
    return countBatches(db, batchIds);
  },

  async closeBatch({ batchIds }: Run): Promise<BatchCounts> {
    await closeBatches(db, batchIds);
    return countBatches(db, batchIds);
  },
});

const firstRow = { batchId: 0, row: 0 };
type JudgedRows = ReturnType<typeof judgeRows>;

/** A row that Postgres cannot hold in spite of our judgement is found by halving, and rejected alone. */
async function recordOrBisect(db: Db, { good, bad }: JudgedRows): Promise<void> {
  try {
    await recordJudgedRows(db, { good, bad });
  } catch (error) {
    if (!isDataError(error)) throw error;
    const [only, second] = good;
    if (only && !second) return await recordJudgedRows(db, { good: [], bad: [...bad, { ...toKey(only), field: '', reason: 'not_storable' }] });
    if (good.length === 0) throw error;
    const middle = Math.ceil(good.length / 2);
    await recordOrBisect(db, { good: good.slice(0, middle), bad });
    await recordOrBisect(db, { good: good.slice(middle), bad: [] });
  }
}

/** SQLSTATE class 22: the data is at fault, and will be each time. */
const isDataError = (error: unknown) => codeOf(error).trim().startsWith('22');
const toKey = ({ batch_id, row_number, received_at }: AcceptableRow) => ({ batch_id, row_number, received_at });

function judgeRows(rows: RawRow[]): { good: AcceptableRow[]; bad: RejectedRow[] } {
  const good: AcceptableRow[] = [];
  const bad: RejectedRow[] = [];
  for (const { payload, ...key } of rows) {
    const judged = judgeRow(payload);
    if ('contact' in judged) good.push({ ...key, ...toColumns(judged.contact), email: judged.contact.address.email, email_hash: judged.contact.address.emailHash });
    else bad.push({ ...key, field: judged.field.slice(0, 100).toWellFormed(), reason: judged.reason.slice(0, 100) });
  }
  return { good, bad };
}

const toColumns = ({ address: _, ...columns }: JudgedContact) => columns;

/** Several rows of one contact become one, the earlier filling first. */
function mergeRows(rows: (RawRow & { contact_id: number })[]): Blanks[] {
  const byContact = new Map<number, Blanks>();
  for (const row of rows) {
    const judged = judgeRow(row.payload);
    if (!('contact' in judged)) continue;
    const columns = { contact_id: row.contact_id, ...toColumns(judged.contact) };
    const earlier = byContact.get(row.contact_id);
    byContact.set(row.contact_id, earlier ? merge(earlier, columns) : columns);
  }
  return [...byContact.values()];
}

const merge = (earlier: Blanks, later: Blanks): Blanks => ({
  contact_id: earlier.contact_id,
  first_name: earlier.first_name ?? later.first_name,
  last_name: earlier.last_name ?? later.last_name,
  company: earlier.company ?? later.company,
  phone: earlier.phone ?? later.phone,
  website: earlier.website ?? later.website,
  country_code: earlier.country_code ?? later.country_code,
  language: earlier.language ?? later.language,
  category: earlier.category ?? later.category,
  tags: [...new Set([...earlier.tags, ...later.tags])],
  raw_data: earlier.raw_data ?? later.raw_data,
  social_links: earlier.social_links ?? later.social_links,
});
