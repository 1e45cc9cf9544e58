import type { FreshDatabase } from './database';

/** Statements that put a pipeline into a state without running it: a source, an instance, and contacts with an accepted, open row each. */
export function rowsOf(database: FreshDatabase) {
  const query = async <T = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> => (await database.pool.query(text, values)).rows as T[];
  return {
    query,
    async base() {
      await query(`insert into data_sources (source_id, source_type, name) values ('s', 'scraping', 's')`);
      for (const id of ['client-1', 'client-2']) await query(`insert into mailwizz_instances (instance_id, name, api_url, api_key) values ($1, $1, 'http://c.example', 'sealed')`, [id]);
    },
    async clear() {
      await query('truncate import_batches, batch_rows, outbox, contacts, injections, suppressions, contact_events, alerts, reconciliations restart identity cascade');
    },
    /** One batch whose rows are accepted and open, their contacts routed to client-1, list 12. */
    async openBatch(count: number, contact: { status?: string } = {}) {
      const [batch] = await query<{ id: number }>(`insert into import_batches (batch_id, source_id, state, received, accepted, ingested_at) values ('b' || $1::text, 's', 'running', $2, $2, now()) returning id`, [Math.random(), count]);
      const contacts = await query<{ id: number; email: string }>(
        `insert into contacts (email, email_hash, source_id, category, status, mailwizz_instance, mailwizz_list_id)
         select 'c' || n || '@x.example', 'hash' || n, 's', 'avocat', $2, 'client-1', 12 from generate_series(1, $1) n returning id, email`,
        [count, contact.status ?? 'validated'],
      );
      const ids = contacts.map(({ id }) => id).toSorted((a, b) => a - b);
      await query(
        `insert into batch_rows (batch_id, row_number, received_at, payload, outcome, contact_id) select $1, n, now(), '{}', 'accepted', id from unnest($2::bigint[]) with ordinality as x(id, n)`,
        [batch!.id, ids],
      );
      return { batchId: batch!.id, ids, page: { batchIds: [batch!.id], afterContactId: 0, throughContactId: ids.at(-1) ?? 0 } };
    },
  };
}
