import { randomBytes } from 'node:crypto';
import { createVault } from '../../src/adapters/vault';
import { rotate } from '../../src/cli/secrets';
import { type FreshDatabase, freshDatabase } from '../support/database';

let database: FreshDatabase;
const old = { keys: new Map([['k1', randomBytes(32)]]), currentKid: 'k1' };
const both = { keys: new Map([['k2', randomBytes(32)], ...old.keys]), currentKid: 'k2' };
const onlyNew = createVault({ keys: new Map([...both.keys].slice(0, 1)), currentKid: 'k2' });
const place = (id: number, column: string) => `mailwizz_instances/c-${id}/${column}`;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from mailwizz_instances');
  const vault = createVault(old);
  for (let id = 0; id < 250; id += 1) {
    await database.pool.query('insert into mailwizz_instances (instance_id, name, api_url, api_key, mysql_password) values ($1, $1, $2, $3, $4)', [
      `c-${id}`, 'http://c.example', vault.seal(`key ${id}`, place(id, 'api_key')), id % 2 ? null : vault.seal(`password ${id}`, place(id, 'mysql_password')),
    ]);
  }
});

test('after a rotation every secret opens with the new key alone', async () => {
  expect(await rotate(database.db, both)).toEqual({ sealed: 375, kept: 0 });
  const { rows } = await database.pool.query<{ api_key: string; mysql_password: string | null }>('select api_key, mysql_password from mailwizz_instances order by id');
  expect(rows.map((row, id) => onlyNew.open(row.api_key, place(id, 'api_key')))).toEqual(rows.map((_, id) => `key ${id}`));
  expect(rows.flatMap((row, id) => (row.mysql_password === null ? [] : [onlyNew.open(row.mysql_password, place(id, 'mysql_password'))]))).toHaveLength(125);
});

test('a rotation that was stopped halfway is finished by a repeat', async () => {
  await database.pool.query(`update mailwizz_instances set api_key = $1 where instance_id = 'c-0'`, [createVault(both).seal('key 0', place(0, 'api_key'))]);
  expect(await rotate(database.db, both)).toEqual({ sealed: 374, kept: 1 });
  expect(await rotate(database.db, both)).toEqual({ sealed: 0, kept: 375 });
});

test('a secret whose key is unknown stops the rotation and stays as it is', async () => {
  await expect(rotate(database.db, { keys: new Map([['k2', randomBytes(32)]]), currentKid: 'k2' })).rejects.toThrow("no secrets key 'k1'");
  const { rows } = await database.pool.query<{ n: number }>(`select count(*)::int n from mailwizz_instances where api_key like 'v1.k1.%'`);
  expect(rows).toEqual([{ n: 250 }]);
});
