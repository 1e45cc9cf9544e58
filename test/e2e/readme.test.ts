import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { insertKey } from '../../db/queries/api-keys';
import { makeApiKey } from '../../src/api/keys';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, seed, settled, startEngine } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url);
  await controlOf(sandboxInfo().instances[0]!).heal();
  await seed(engine);
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

test('the first delivery of the README does what it says, as it is written', async () => {
  const { text: adminKey, parsed } = makeApiKey('adm');
  await insertKey(database.db, { ...parsed, name: 'reader' });
  const [, block = ''] = /## A first delivery[\s\S]*?```sh\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? [];
  const script = block.replace(/^API=.*$/m, `API=${engine.url}/api/v1`).replace('ee_adm_…', adminKey).concat('\necho; echo $BATCH');
  const { stdout } = await promisify(execFile)('bash', ['-c', script]);
  const batchId = stdout.trim().split('\n').at(-1)!;
  expect(stdout).toContain('"reason":"email_domain"');
  expect(await settled(engine, batchId)).toMatchObject({ source_id: 'my-scraper-001', received: 2, accepted: 1, rejected: 1, injected: 1 });
});
