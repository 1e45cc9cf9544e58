import { campaignsOf } from '../support/campaigns';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;
let campaigns: ReturnType<typeof campaignsOf>;
let template: number;
const mailwizz = controlOf(sandboxInfo().instances[0]!);

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url, { env: { CAMPAIGN_LOOK: '100ms' } });
  await seed(engine);
  await mailwizz.heal();
  await mailwizz.empty();
  await mailwizz.clock({ mode: 'manual' });
  campaigns = campaignsOf(engine);
  await ingest(100, 'limited-');
  template = await campaigns.makeTemplate();
}, 120_000);
afterAll(async () => {
  await mailwizz.clock({ mode: 'auto' });
  await engine.stop();
  await database.drop();
});

async function ingest(count: number, prefix: string): Promise<void> {
  const answer = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts: makeContacts(count, prefix) });
  await settled(engine, answer.body.batch_id);
}
const setCap = async (cap: number | null) => expect((await engine.call('PATCH', '/api/v1/mailwizz-instances/client-1', { hourly_cap: cap })).body).toMatchObject({ hourly_cap: cap });
async function restart(): Promise<void> {
  await engine.kill('worker');
  await engine.start('worker');
}
const there = (name: string) => mailwizz.campaigns(name);
const mailed = async (name: string) => (await Promise.all((await there(name)).map(({ campaign_uid: uid }) => mailwizz.sentTo(uid)))).flat();
/** Lets MailWizz send whatever it may, until so many have left. */
const sends = (name: string, count: number) =>
  until(async () => {
    await mailwizz.tick();
    return (await mailed(name)).length >= count;
  }, `${count} mails of ${name}`);

test('a worker killed at every step of a release lets no more go than the cap of the instance, makes each part once, and takes in who joined', async () => {
  await setCap(40);
  const { campaign_id: id } = await campaigns.create(template, { name: 'Released' });
  await campaigns.order(id, 'launch');
  await campaigns.until(id, ({ status }) => status === 'running', 'the start');
  await restart();
  await until(async () => (await there('Released')).length > 0, 'the first part');
  await restart();
  await sends('Released', 40);
  await restart();
  await mailwizz.tick();
  expect([await there('Released'), await mailed('Released')].map(({ length }) => length)).toEqual([1, 40]);
  const waiting = await campaigns.until(id, ({ recipients, waits_for: wait }) => recipients.sent === 40 && wait?.what === 'caps', 'the wait that is shown');
  expect(waiting).toMatchObject({ status: 'running', recipients: { audience: 100, sent: 40, pending: 60 } });

  await ingest(20, 'joined-');
  await setCap(70);
  await until(async () => (await there('Released')).length === 2, 'the second part');
  await restart();
  await sends('Released', 70);
  await mailwizz.tick();
  expect(await mailed('Released')).toHaveLength(70);

  await setCap(null);
  await until(async () => (await there('Released')).length === 3, 'the rest');
  await restart();
  await until(async () => {
    await mailwizz.tick();
    return (await campaigns.get(id)).status === 'completed';
  }, 'the end');
  const done = await campaigns.get(id);
  const mails = await mailed('Released');
  expect(new Set(mails).size).toBe(mails.length);
  expect(done.recipients).toMatchObject({ audience: mails.length, sent: mails.length, pending: 0 });
  // Those who joined in buckets that were out already are not reached.
  expect(mails.length).toBeGreaterThan(100);
  expect(mails.length).toBeLessThanOrEqual(120);
}, 300_000);

test('who joins does not carry a campaign over its limit on contacts', async () => {
  const before = (await mailed('Released')).length; // within the same hour
  await setCap(before + 50);
  const { campaign_id: id, audience } = await campaigns.create(template, { name: 'Limited', max_contacts: 80 });
  await campaigns.order(id, 'launch');
  await sends('Limited', 1);
  await ingest(30, 'later-');
  await setCap(before + 100);
  await until(async () => (await there('Limited')).length >= 2, 'the second part');
  const { recipients } = await campaigns.get(id);
  expect(recipients.audience).toBeLessThanOrEqual(80);
  expect(audience).toBeLessThanOrEqual(80);
  await campaigns.order(id, 'cancel');
  await setCap(null);
}, 120_000);

test('a send window is shown with what waits for it, and a window that never opens is refused', async () => {
  const tomorrow = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 2) % 7];
  const window = { days: [tomorrow], from: '09:00', to: '17:00', zone: 'UTC' };
  const { campaign_id: id } = await campaigns.create(template, { name: 'Windowed', send_window: window, hourly_cap: 10, daily_cap: 50 });
  await campaigns.order(id, 'launch');
  const shown = await campaigns.until(id, ({ waits_for: wait }) => wait !== null, 'the wait');
  expect(shown).toMatchObject({ status: 'scheduled', send_window: window, hourly_cap: 10, daily_cap: 50, waits_for: { what: 'send_window' } });
  expect(new Date(shown.waits_for.until).toISOString()).toMatch(/T09:00:00/);
  await campaigns.order(id, 'cancel');
  expect((await engine.call('POST', '/api/v1/campaigns', { name: 'w', mailwizz_instance: 'client-1', mailwizz_list_id: 12, send_window: { ...window, from: '24:00' } })).status).toBe(422);
}, 60_000);
