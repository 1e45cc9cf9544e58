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
  engine = await startEngine(database.url);
  await seed(engine, ['scraper-google-001', 'upload-002']);
  await mailwizz.heal();
  await mailwizz.empty();
  await mailwizz.clock({ mode: 'manual' });
  await mailwizz.rates({});
  campaigns = campaignsOf(engine);
  const contacts = makeContacts(200, 'reader-').map((contact, index) => ({ ...contact, country_code: ['TH', 'FR', 'DE'][index % 3], language: index % 2 === 0 ? 'fr' : 'en', tags: index % 4 === 0 ? ['expat', 'bangkok'] : ['expat'] }));
  const answer = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts });
  await settled(engine, answer.body.batch_id);
  template = await campaigns.makeTemplate();
}, 120_000);
afterAll(async () => {
  await mailwizz.clock({ mode: 'auto' });
  await mailwizz.rates({});
  await engine.stop();
  await database.drop();
});

const legsOf = async (id: number) => {
  const found = [];
  for (const leg of (await campaigns.get(id)).legs) found.push(...(await mailwizz.campaigns(leg.mailwizz_campaign_uid === null ? 'none' : '')).filter(({ campaign_uid: uid }) => uid === leg.mailwizz_campaign_uid));
  return found;
};
const startedAs = (name: string) => async () => (await mailwizz.campaigns(name)).some(({ status }) => status !== 'paused');

test('a campaign goes from its schedule through a pause to its end, and its sums are those of MailWizz', async () => {
  await mailwizz.rates({ delivery: { error: 0.05 } });
  const made = await campaigns.create(template, { name: 'Whole way', source_id: 'scraper-google-001', target_tags: ['expat'], scheduled_at: new Date(Date.now() + 6_000).toISOString() });
  expect(made).toMatchObject({ audience: 200, problems: [] });
  await campaigns.until(made.campaign_id, ({ status }) => status === 'scheduled', 'its schedule');
  await campaigns.until(made.campaign_id, ({ status }) => status === 'running', 'the start');
  await until(startedAs('Whole way'), 'MailWizz at work');
  await mailwizz.tick(60);

  expect(await campaigns.order(made.campaign_id, 'pause')).toMatchObject({ status: 'paused', paused_from: 'running' });
  await until(async () => (await mailwizz.campaigns('Whole way')).every(({ status }) => status === 'paused'), 'the pause there', 5_000);
  await mailwizz.tick();
  expect((await mailwizz.campaigns('Whole way')).map(({ sent, errors }) => sent + errors)).toEqual([60]);

  expect(await campaigns.order(made.campaign_id, 'resume')).toMatchObject({ status: 'running' });
  await until(startedAs('Whole way'), 'MailWizz at work again');
  await mailwizz.tick();
  const done = await campaigns.until(made.campaign_id, ({ status }) => status === 'completed', 'the end');
  const [truth, ...others] = await mailwizz.campaigns('Whole way');
  expect(others).toEqual([]);
  expect(done.recipients).toMatchObject({ audience: 200, sent: truth!.sent, failed: truth!.errors, skipped: 0, pending: 0 });
  expect(truth!.errors).toBeGreaterThan(0);
  const sent = await campaigns.call('GET', `/campaigns/${made.campaign_id}/recipients?outcome=sent&limit=1000`);
  expect(sent.items.map(({ email }: { email: string }) => email).toSorted()).toEqual((await mailwizz.sentTo(truth!.campaign_uid)).toSorted());
  await mailwizz.rates({});
}, 120_000);

test.each([
  ['everybody of a category, whatever its case', { target_category: 'Avocat' }],
  ['all tags', { target_tags: ['bangkok', 'expat'] }],
  ['any country', { target_country_codes: ['TH', 'FR'] }],
  ['a language', { target_language: 'fr' }],
  ['a source', { source_id: 'scraper-google-001' }],
  ['a score', { min_score: 40 }],
  ['at most so many', { max_contacts: 70 }],
  ['all at once', { source_id: 'scraper-google-001', target_tags: ['expat'], target_country_codes: ['FR'], target_language: 'en', min_score: 10, max_contacts: 20 }],
])('our audience is the one of the segments of MailWizz: %s', async (_, filter) => {
  const { campaign_id: id, audience } = await campaigns.create(template, { name: 'Counted', ...filter });
  await campaigns.order(id, 'launch');
  const { legs, recipients } = await campaigns.until(id, ({ status, held }) => status === 'running' || held.length > 0, 'the start');
  expect(audience).toBeGreaterThan(0);
  expect(recipients.audience).toBe(audience);
  expect(legs.map((leg: any) => leg.segment_contacts)).toEqual(legs.map((leg: any) => leg.contacts));
  expect(legs.reduce((sum: number, leg: any) => sum + leg.segment_contacts, 0)).toBe(audience);
  await campaigns.order(id, 'cancel');
}, 60_000);

test('a suppression that arrives on the way stops that recipient, there too', async () => {
  const { campaign_id: id } = await campaigns.create(template, { name: 'Suppressed' });
  await campaigns.order(id, 'launch');
  await until(startedAs('Suppressed'), 'MailWizz at work');
  await database.pool.query(`insert into suppressions (email_hash, reason, origin) select email_hash, 'unsubscribed', 'test' from contacts where email = 'reader-7@site-7.example'`);
  await campaigns.until(id, ({ recipients }) => recipients.skipped === 1, 'the recipient skipped');
  await mailwizz.tick();
  const done = await campaigns.until(id, ({ status }) => status === 'completed', 'the end');
  expect(done.recipients).toMatchObject({ sent: 199, skipped: 1 });
  expect(await mailwizz.sentTo(done.legs[0].mailwizz_campaign_uid)).not.toContain('reader-7@site-7.example');
}, 60_000);

test('a cancelled campaign sends nothing more and closes its sums', async () => {
  const { campaign_id: id } = await campaigns.create(template, { name: 'Cancelled' });
  await campaigns.order(id, 'launch');
  await until(startedAs('Cancelled'), 'MailWizz at work');
  await mailwizz.tick(30);
  expect((await campaigns.call('DELETE', `/campaigns/${id}`)).status).toBe('cancelled');
  const done = await campaigns.until(id, ({ completed_at: at }) => at !== null, 'the end');
  await mailwizz.tick();
  const [truth] = await legsOf(id);
  expect(truth).toMatchObject({ status: 'sent', sent: 30 });
  expect(done.recipients).toMatchObject({ sent: 30, pending: 0 });
  expect((await campaigns.refused(id, 'launch')).detail).toBe('The campaign is cancelled.');
}, 60_000);

test('a campaign that lacks what it needs is held with readable reasons, and goes when they are gone', async () => {
  const { campaign_id: id } = await campaigns.create(template, { name: 'Held', target_category: 'nobody' });
  await campaigns.order(id, 'launch');
  const held = await campaigns.until(id, (campaign) => campaign.held.length > 0, 'the hold');
  expect(held).toMatchObject({ status: 'scheduled', held: [{ code: 'audience' }] });
  await campaigns.call('PATCH', `/campaigns/${id}`, { target_category: 'avocat' });
  await campaigns.order(id, 'launch');
  await campaigns.until(id, ({ status }) => status === 'running', 'the start');
  await campaigns.order(id, 'cancel');
}, 60_000);

test('an A/B test sends samples first, and the winner to the rest', async () => {
  await mailwizz.rates({ opens: 0.5 });
  const { campaign_id: id } = await campaigns.create(template, {
    name: 'Tested',
    ab_test: { variants: [{ subject_line: 'One' }, { subject_line: 'Two' }], sample_percent: 40, test_minutes: 0.05, minimum_sample: 5, on_tie: 'first', on_too_little_data: 'first' },
  });
  await campaigns.order(id, 'launch');
  await until(async () => (await mailwizz.campaigns('Tested')).length >= 2 && (await mailwizz.campaigns('Tested')).every(({ status }) => status !== 'paused'), 'the samples');
  await mailwizz.tick();
  await campaigns.until(id, (campaign) => campaign.ab_decision?.chosen != null, 'the decision');
  await until(async () => (await mailwizz.campaigns('Tested')).length === 3 && (await mailwizz.campaigns('Tested')).every(({ status }) => status !== 'paused'), 'the rest');
  await mailwizz.tick();
  const done = await campaigns.until(id, ({ status }) => status === 'completed', 'the end');
  expect(done.recipients).toMatchObject({ sent: done.recipients.audience, pending: 0 });
  expect(done.variants.filter((variant: any) => variant.is_winner).map((variant: any) => variant.key)).toEqual([done.ab_decision.chosen]);
  expect(done.variants.every((variant: any) => variant.figures.recipients > 0)).toBe(true);
  const mailed = (await Promise.all(done.legs.map((leg: any) => mailwizz.sentTo(leg.mailwizz_campaign_uid)))).flat();
  expect(new Set(mailed).size).toBe(done.recipients.audience);
}, 120_000);

test('readers who join the list during a test get the winner too, each with a row, and only a variant that there is can win', async () => {
  const { campaign_id: id } = await campaigns.create(template, { name: 'Joined', ab_test: { variants: [{ subject_line: 'One' }, { subject_line: 'Two' }], sample_percent: 40, test_minutes: 600 } });
  await campaigns.order(id, 'launch');
  const started = (legs: number) => until(async () => (await mailwizz.campaigns('Joined')).filter(({ status }) => status !== 'paused').length === legs, `${legs} legs started`);
  await started(2);
  await mailwizz.tick();
  const before = (await campaigns.get(id)).recipients.audience;
  const { body } = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts: makeContacts(40, 'joined-') });
  await settled(engine, body.batch_id);
  expect(await campaigns.refused(id, 'choose', { variant: 'e' })).toMatchObject({ detail: 'The test has no variant e; there are a, b.' });
  await campaigns.order(id, 'choose', { variant: 'b' });
  await started(3);
  await mailwizz.tick();
  const done = await campaigns.until(id, ({ status }) => status === 'completed', 'the end');
  expect(done.recipients.audience).toBeGreaterThan(before);
  const mailed = (await Promise.all(done.legs.map((leg: any) => mailwizz.sentTo(leg.mailwizz_campaign_uid)))).flat();
  expect([mailed.length, new Set(mailed).size]).toEqual([done.recipients.sent, done.recipients.audience]);
}, 120_000);
