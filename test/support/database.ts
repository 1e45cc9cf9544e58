import { randomBytes, randomInt } from 'node:crypto';
import { Client } from 'pg';
import { type Database, openDatabase } from '../../db/client';
import { migrateDatabase } from '../../db/migrate';

const adminUrl = () => {
  const url = process.env['TEST_DATABASE_URL'];
  if (!url) throw new Error('Run the tests with npm test: it starts the Postgres they need.');
  return url;
};
const urlOf = (name: string) => adminUrl().replace(/\/[^/]*$/, `/${name}`);
const template = 'engine_template';

async function asAdmin<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export type FreshDatabase = Database & { url: string; drop: () => Promise<void> };

/** Migrates the template once per run, then hands out clones: tens of milliseconds each. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const name = `engine_${randomBytes(6).toString('hex')}`;
  await asAdmin(async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [template]);
    if (rowCount === 0) {
      await client.query(`create database ${template}`);
      await migrateDatabase(urlOf(template));
    }
    await client.query(`create database ${name} template ${template}`);
  });
  const database = openDatabase(urlOf(name), 10, () => undefined);
  // Runs are named after their campaigns, and all files share one Temporal: the same number would find the run of another file.
  await database.pool.query(`alter table campaigns alter column id restart with ${randomInt(1, 1_000_000) * 1_000}`);
  return {
    ...database,
    url: urlOf(name),
    drop: async () => {
      await database.close();
      await asAdmin((client) => client.query(`drop database ${name} with (force)`));
    },
  };
}
