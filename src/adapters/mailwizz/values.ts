import type { Ask } from './connection';
import type { Schema } from './schema';

export type ListField = { fieldId: number; tag: string; fallback: string; required: boolean };
export type Valued = { subscriberId: number; values: ReadonlyMap<string, string> };

/** Small enough for the packet of an old server (4 MB), even with long values. */
const bytesPerStatement = 1 << 20;
/** The server works on one statement while we write the next: a page goes out in several. */
const rowsPerStatement = 1_000;

/** The field values of subscribers: one row per field, EMAIL included (mailwizz.md 5.3). */
export function createValueTable(ask: Ask, { prefix, clock }: Schema) {
  const table = `\`${prefix}list_field_value\``;

  return { insert, update };

  /** Field by field, so that rows arrive in the order of the indexes. */
  async function insert(fields: ListField[], subscribers: Valued[]): Promise<void> {
    const rows = fields.flatMap(({ fieldId, tag, fallback }) =>
      subscribers.map(({ subscriberId, values }): Row => [fieldId, subscriberId, values.get(tag) ?? fallback]),
    );
    await insertRows(rows);
  }

  /** Brings the given values up to date and leaves all others alone; writes only what differs. */
  async function update(fields: ListField[], subscribers: Valued[]): Promise<void> {
    const given = new Map(
      fields
        .filter(({ tag }) => tag !== 'EMAIL' && subscribers.some(({ values }) => values.has(tag)))
        .map((field) => [field.fieldId, field.tag]),
    );
    if (given.size === 0) return;
    const ids = subscribers.map(({ subscriberId }) => subscriberId);
    const there = await ask(
      `SELECT value_id, field_id, subscriber_id, value FROM ${table} WHERE field_id IN (?) AND subscriber_id IN (?)`,
      [[...given.keys()], ids],
    );
    const valuesOf = new Map(subscribers.map(({ subscriberId, values }) => [subscriberId, values]));
    const present = new Set(there.map((row) => `${Number(row['field_id'])}/${Number(row['subscriber_id'])}`));
    const changes = there.flatMap((row): [number, string][] => {
      const wanted = valuesOf.get(Number(row['subscriber_id']))?.get(given.get(Number(row['field_id'])) ?? '');
      return wanted === undefined || wanted === row['value'] ? [] : [[Number(row['value_id']), wanted]];
    });
    for (const part of inParts(changes)) {
      const cases = part.map(() => 'WHEN ? THEN ?').join(' ');
      await ask(`UPDATE ${table} SET value = CASE value_id ${cases} ELSE value END, last_updated = ${clock} WHERE value_id IN (?)`, [
        ...part.flat(),
        part.map(([valueId]) => valueId),
      ]);
    }
    const missing = [...given].flatMap(([fieldId, tag]) =>
      subscribers.flatMap(({ subscriberId, values }): Row[] => {
        const value = values.get(tag);
        return value === undefined || present.has(`${fieldId}/${subscriberId}`) ? [] : [[fieldId, subscriberId, value]];
      }),
    );
    await insertRows(missing);
  }

  async function insertRows(rows: Row[]): Promise<void> {
    // Not one after the other: the connection keeps them in order, and the next is ready when the last is done.
    const inserting = inParts(rows).map((part) => {
      const places = part.map(() => `(?, ?, ?, ${clock}, ${clock})`).join(', ');
      return ask(`INSERT INTO ${table} (field_id, subscriber_id, value, date_added, last_updated) VALUES ${places}`, part.flat());
    });
    await Promise.all(inserting);
  }
}

type Row = [fieldId: number, subscriberId: number, value: string];

/** Cut by the size that the statement will have; a character may take four bytes. */
function inParts<T extends [...number[], string]>(rows: T[]): T[][] {
  const parts: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const row of rows) {
    const size = 60 + 4 * String(row.at(-1)).length;
    if (bytes + size > bytesPerStatement || (parts.at(-1)?.length ?? 0) >= rowsPerStatement) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(row);
    bytes += size;
  }
  return parts;
}
