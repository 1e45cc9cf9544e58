import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { batchWorkflowId } from '../../src/domain/batch';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

/** Words that are in nothing but the contacts of this test. */
const canaries = ['kanarienvogel', 'Wellensittich', 'Zaunkönig', '+49 30 55555'];
const logFile = join(tmpdir(), `email-engine-canary-${process.pid}.log`);
let database: FreshDatabase;
let engine: Engine;

beforeAll(async () => {
  database = await freshDatabase();
  const mailwizz = controlOf(sandboxInfo().instances[0]!);
  await mailwizz.heal();
  await mailwizz.empty();
  engine = await startEngine(database.url, { env: { LOG_LEVEL: 'trace' }, logFile });
  await seed(engine);
});
afterAll(async () => {
  await engine.stop();
  rmSync(logFile, { force: true });
  await database.drop();
});

/** Every text and every payload of a history, however deep. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

test('no address, name or number of a person reaches Temporal or the log, whatever becomes of the contact', async () => {
  const person = { first_name: canaries[1], company: canaries[2], phone: canaries[3], category: 'avocat' };
  const { body } = await engine.call('POST', '/api/v1/contacts/ingest', {
    source_id: 'scraper-google-001',
    contacts: [
      { ...person, email: `${canaries[0]}@site-1.example` },
      { ...person, email: `${canaries[0]}@nxdomain-1.test` },
      { ...person, email: `${canaries[0]}@servfail-1.test` },
      { ...person, email: `${canaries[0]}@@site-1.example` },
      { ...person, email: `${canaries[0]}-2@site-1.example`, category: 'plombier' },
    ],
  });
  await settled(engine, body.batch_id);
  const [contact] = (await engine.call('GET', `/api/v1/contacts?q=${canaries[0]}`)).body.items;
  await engine.call('POST', `/api/v1/contacts/${contact.id}/validate`);
  await engine.call('GET', `/api/v1/contacts?q=${canaries[0]}&status=nonsense`);

  const connection = await Connection.connect({ address: process.env['TEST_TEMPORAL_ADDRESS'] ?? '' });
  const { workflow } = new Client({ connection });
  const ids = [batchWorkflowId(body.batch_id), `contact:${contact.id}:validate`];
  await until(async () => (await workflow.getHandle(ids[1]!).describe()).status.name === 'COMPLETED', 'the verification');
  for (const id of ids) {
    const handle = workflow.getHandle(id);
    const texts = textsOf([await handle.fetchHistory(), (await handle.describe()).raw]).join('\n');
    expect(texts).toContain('throughContactId'); // payloads are read
    for (const word of [...canaries, '@site-1']) expect(texts).not.toContain(word);
  }
  await connection.close();
  const log = readFileSync(logFile, 'utf8');
  expect(log).toContain('api is ready');
  for (const word of canaries) expect(log).not.toContain(word);
});
