import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { insertKey } from '../../db/queries/api-keys';
import { makeApiKey } from '../../src/api/keys';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;
const { text: adminKey, parsed } = makeApiKey('adm');
const mailwizz = controlOf(sandboxInfo().instances[0]!);

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url);
  await mailwizz.heal();
  await mailwizz.empty();
  await mailwizz.clock({ mode: 'auto' });
  await mailwizz.rates({ opens: 0.4 });
  await seed(engine);
  await insertKey(database.db, { ...parsed, name: 'reader' });
});
afterAll(async () => {
  await mailwizz.rates({});
  await engine.stop();
  await database.drop();
});

const blockOf = (title: string) => new RegExp(`## ${title}[\\s\\S]*?\`\`\`sh\\n([\\s\\S]*?)\`\`\``).exec(readFileSync('README.md', 'utf8'))?.[1] ?? '';
const delivery = () => blockOf('A first delivery').replace(/^API=.*$/m, `API=${engine.url}/api/v1`).replace('ee_adm_…', adminKey);
const run = async (script: string) => (await promisify(execFile)('bash', ['-c', script], { timeout: 100_000 })).stdout;

test('the first delivery of the README does what it says, as it is written', async () => {
  const stdout = await run(`${delivery()}\necho; echo $BATCH`);
  const batchId = stdout.trim().split('\n').at(-1)!;
  expect(stdout).toContain('"reason":"email_domain"');
  expect(await settled(engine, batchId)).toMatchObject({ source_id: 'my-scraper-001', received: 2, accepted: 1, rejected: 1, injected: 1 });
});

test('the first campaign of the README goes from its schedule to its end, as it is written', async () => {
  const answer = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts: makeContacts(200, 'reader-') });
  await settled(engine, answer.body.batch_id);
  const [variables = ''] = delivery().split('\n\n');
  const stdout = await run(`${variables}\n${blockOf('A first campaign')}\necho; echo $CAMPAIGN`);
  const { body: campaign } = await engine.call('GET', `/api/v1/campaigns/${stdout.trim().split('\n').at(-1)!}`);
  expect(campaign).toMatchObject({ status: 'completed', recipients: { failed: 0, pending: 0, skipped: 0 } });
  expect(campaign.recipients.sent).toBeGreaterThanOrEqual(200);
  expect(stdout).toContain(campaign.ab_decision.reason);
  expect([...stdout.matchAll(/"status":"(\w+)"/g)].map(([, status]) => status)).toEqual(['paused', 'scheduled', 'paused', 'running', 'completed']);
  const mailed = (await Promise.all(campaign.legs.map((leg: any) => mailwizz.sentTo(leg.mailwizz_campaign_uid)))).flat();
  expect(mailed).toHaveLength(campaign.recipients.sent);
  expect(new Set(mailed).size).toBe(mailed.length);
  for (const email of mailed) expect(stdout).toContain(email);
}, 120_000);
