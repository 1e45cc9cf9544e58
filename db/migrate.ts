import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { Client } from 'pg';

/** Any number; the same for every migrator, so that only one runs at a time. */
const migrationLock = 7_251_907;

/** Brings the database to the newest schema and makes this and the next two months' partitions. Safe to repeat and to run twice at once. */
export async function migrateDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // Without a listener, a connection that breaks between two statements would end the process; the next statement says it too.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock]);
    await migrate(drizzle(client), { migrationsFolder: join(__dirname, 'migrations') });
    await client.query(`select ensure_month_partitions(parent, (now() - interval '1 month')::date, 4) from unnest(array['batch_rows', 'contact_events', 'webhook_quarantine']) parent`);
  } finally {
    await client.end();
  }
}
