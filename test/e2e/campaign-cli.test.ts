import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { campaignsOf } from '../support/campaigns';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;
let campaigns: ReturnType<typeof campaignsOf>;
let binary: string;
const mailwizz = controlOf(sandboxInfo().instances[0]!);
const documented = [...readFileSync('docs/API-CAMPAIGNS.md', 'utf8').matchAll(/^temporal workflow .*$/gm)].map(([line]) => line);

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url);
  await seed(engine);
  await mailwizz.heal();
  await mailwizz.empty();
  await mailwizz.clock({ mode: 'manual' });
  campaigns = campaignsOf(engine);
  const { body } = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts: makeContacts(60, 'reader-') });
  await settled(engine, body.batch_id);
  // The scripts are modules of plain Node: they find the CLI that the server of this test runs from.
  const find = `import { findTemporal } from './scripts/lib/temporal-binary.mjs'; console.log(await findTemporal());`;
  binary = (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', find])).stdout.trim();
}, 120_000);
afterAll(async () => {
  await mailwizz.clock({ mode: 'auto' });
  await engine.stop();
  await database.drop();
});

test('every Temporal command of the documentation does what it says, as it is written', async () => {
  const { campaign_id: id } = await campaigns.create(await campaigns.makeTemplate(), {
    name: 'By hand', scheduled_at: '2035-01-01T10:00:00Z', ab_test: { variants: [{ subject_line: 'One' }, { subject_line: 'Two' }], sample_percent: 40, test_minutes: 60 },
  });
  const left = new Set(documented);
  const run = async (words: string) => {
    const line = documented.find((text) => text.includes(words))!;
    left.delete(line);
    const env = { ...process.env, TEMPORAL_ADDRESS: process.env['TEST_TEMPORAL_ADDRESS'] };
    return (await promisify(execFile)('bash', ['-c', `temporal() { ${binary} "$@"; }\n${line.replace('campaign:12', `campaign:${id}`)}`], { env, timeout: 20_000 })).stdout;
  };
  const becomes = (words: string, check: (campaign: any) => boolean) => run(words).then(() => campaigns.until(id, check, words, 20_000));

  expect(await run('query')).toMatch(/"status":\s*"scheduled"/);
  expect(await run('update execute')).toContain('status:paused');
  await becomes('signal --workflow-id campaign:12 --name resume', ({ status }) => status === 'scheduled');
  await becomes('signal --workflow-id campaign:12 --name pause', ({ status }) => status === 'paused');
  const [, at] = /"(20\d\d-.*Z)"/.exec(documented.find((line) => line.includes('reschedule'))!)!;
  await becomes('reschedule', ({ scheduled_at: then }) => Date.parse(then) === Date.parse(at!));
  await becomes('name resume', ({ status }) => status === 'scheduled');
  await becomes('launch', ({ status }) => status === 'running');
  await becomes('choose', ({ ab_decision: decision }) => decision?.chosen === 'b');
  await becomes('cancel', ({ status, completed_at: over }) => status === 'cancelled' && over !== null);
  expect([...left]).toEqual([]);
}, 120_000);
