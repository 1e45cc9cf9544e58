import { rmSync } from 'node:fs';
import { migrateDatabase } from '../../db/migrate';
import { campaignsOf } from '../support/campaigns';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';
import { deleteTemporalStore, killTemporal, makeDataDir, type Services, startServices, temporalPid } from '../support/services';

const dataDir = makeDataDir();
const mailwizz = controlOf(sandboxInfo().instances[0]!);
const readers = 200;
let services: Services;
let engine: Engine;
let campaigns: ReturnType<typeof campaignsOf>;
let template: number;

beforeAll(async () => {
  await mailwizz.heal();
  await mailwizz.empty();
  await mailwizz.rates({});
  await mailwizz.clock({ mode: 'manual' });
  services = await startServices(dataDir);
  await migrateDatabase(services.settings['DATABASE_URL']!);
  engine = await startEngine(services.settings['DATABASE_URL']!, { temporal: services.settings['TEMPORAL_ADDRESS']! });
  await seed(engine);
  campaigns = campaignsOf(engine);
  const { body } = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts: makeContacts(readers, 'reader-') });
  await settled(engine, body.batch_id);
  template = await campaigns.makeTemplate();
}, 180_000);
afterAll(async () => {
  await mailwizz.heal();
  await mailwizz.clock({ mode: 'auto' });
  await engine.stop();
  await services.end('SIGTERM');
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

beforeEach(() => mailwizz.heal());

const victims = ['worker', 'api', 'temporal'] as const;
async function kill(victim: (typeof victims)[number]): Promise<void> {
  if (victim === 'temporal') return killTemporal(dataDir);
  await engine.kill(victim);
  await engine.start(victim);
}

/** Orders are safe to repeat, and are when Temporal or the worker is on its way back. */
const order = (id: number, name: string, body?: object) => until(async () => campaigns.order(id, name, body).then(() => true), name, 100_000);
const startedLegs = async (name: string) => (await mailwizz.campaigns(name)).filter(({ status }) => status !== 'paused').length;
const startsLegs = (name: string, legs: number) => until(async () => (await startedLegs(name)) === legs, `${legs} legs started`, 120_000);

const routes = ['fields', 'create-segment', 'campaign-create', 'campaign-pause-unpause', 'campaign-stats', 'delivery-logs'] as const;
type Route = (typeof routes)[number];
/** Every call of a step takes its time, so that a kill meets most of them under way. */
const slowDown = () => Promise.all(routes.map((route) => mailwizz.fault({ route, fault: 'delay', ms: 1_000 })));

/** Calls of that kind since `before`: the run does not wait for us to look. */
async function isCalled(route: Route, before: Record<string, number>): Promise<void> {
  await until(async () => ((await mailwizz.calls())[route] ?? 0) > (before[route] ?? 0), `a call to ${route}`, 120_000);
}

/** Ours and theirs agree, each MailWizz campaign exists once, and everybody has one mail. */
async function expectOnceEach(id: number, name: string, legs: number): Promise<void> {
  const done = await campaigns.until(id, ({ status }) => status === 'completed', 'the end', 120_000);
  const truth = await mailwizz.campaigns(name);
  expect(truth).toHaveLength(legs);
  expect(truth.map(({ campaign_uid: uid }) => uid).toSorted()).toEqual(done.legs.map((leg: any) => leg.mailwizz_campaign_uid).toSorted());
  const mailed = (await Promise.all(truth.map(({ campaign_uid: uid }) => mailwizz.sentTo(uid)))).flat();
  expect(mailed.toSorted()).toEqual(makeContacts(readers, 'reader-').map(({ email }) => email).toSorted());
  expect(done.recipients).toMatchObject({ audience: readers, sent: readers, skipped: 0, failed: 0, pending: 0 });
}

test.each(victims)('kill -9 at every step changes nothing, in turn and beginning with %s', async (first) => {
  const name = `Kill ${first} first`;
  let steps = victims.indexOf(first);
  const killNext = async () => {
    await kill(victims[steps % victims.length]!);
    steps += 1;
  };
  const { campaign_id: id } = await campaigns.create(template, { name, ab_test: { variants: [{ subject_line: 'One' }, { subject_line: 'Two' }], sample_percent: 40, test_minutes: 600 } });
  await killNext(); // created
  await order(id, 'reschedule', { scheduled_at: '2035-01-01T10:00:00Z' });
  await killNext(); // scheduled
  await slowDown();
  const launched = await mailwizz.calls();
  await order(id, 'launch');
  await isCalled('fields', launched);
  await killNext(); // preflight
  await isCalled('create-segment', launched);
  await killNext(); // segment being made
  await isCalled('campaign-create', launched);
  await killNext(); // campaign being made
  await isCalled('campaign-pause-unpause', launched);
  await killNext(); // being started
  await startsLegs(name, 2);
  await mailwizz.tick(30);
  await isCalled('campaign-stats', launched);
  await killNext(); // watched
  await mailwizz.tick();
  const chosen = await mailwizz.calls();
  await order(id, 'choose', { variant: 'b' });
  await killNext(); // test decided
  await isCalled('campaign-create', chosen);
  await killNext(); // campaign of the rest being made
  await startsLegs(name, 3);
  const sent = await mailwizz.calls();
  await mailwizz.tick();
  await isCalled('delivery-logs', sent);
  await killNext(); // closing
  await expectOnceEach(id, name, 3);
}, 400_000);

test('campaigns go on without an order when the store of Temporal is deleted, and one made while it was away waits for it', async () => {
  const open = { target_country_codes: ['TH'] };
  const { campaign_id: sending } = await campaigns.create(template, { name: 'Half sent', ...open });
  await order(sending, 'launch');
  await startsLegs('Half sent', 1);
  await mailwizz.tick(60);
  await campaigns.until(sending, ({ recipients }) => recipients.sent > 0, 'mails counted');
  const dueAt = Date.now() + 30_000;
  const { campaign_id: scheduled } = await campaigns.create(template, { name: 'Scheduled then', ...open, scheduled_at: new Date(dueAt).toISOString() });

  process.kill(temporalPid(dataDir)!, 'SIGSTOP'); // away, and nobody starts another one
  const late = await campaigns.create(template, { name: 'Made meanwhile', ...open });
  expect(late).toMatchObject({ status: 'draft', audience: readers });
  process.kill(temporalPid(dataDir)!, 'SIGKILL');
  await services.end('SIGKILL');
  await deleteTemporalStore(dataDir);
  services = await startServices(dataDir);

  await startsLegs('Scheduled then', 1);
  expect(Date.parse((await campaigns.get(scheduled)).started_at)).toBeGreaterThanOrEqual(dueAt);
  await order(late.campaign_id, 'launch');
  await startsLegs('Made meanwhile', 1);
  await mailwizz.tick();
  await expectOnceEach(sending, 'Half sent', 1);
  await expectOnceEach(scheduled, 'Scheduled then', 1);
  await expectOnceEach(late.campaign_id, 'Made meanwhile', 1);
}, 300_000);
