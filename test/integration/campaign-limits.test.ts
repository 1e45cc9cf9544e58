import { campaignWorkflowId } from '../../src/domain/campaign';
import { type CampaignReport, campaignMessages } from '../../src/domain/campaign-run';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { until } from '../support/engine';
import { hour, type Limited, mostWithinAnHour, openLimits } from '../support/limits';
import { openWorkflowBench, type WorkflowBench } from '../support/workflows';

const readers = 60;
const minute = 60_000;
let database: FreshDatabase;
let bench: WorkflowBench;
let limits: Limited;
beforeAll(async () => {
  database = await freshDatabase();
  bench = await openWorkflowBench();
  limits = await openLimits(database, bench, readers);
}, 120_000);
afterAll(async () => {
  await limits?.close();
  await bench?.close();
  await database?.drop();
});
afterEach(() => setInstanceCap(null));
// What earlier tests sent is over by the clock of the next one.
beforeEach(() => limits.turn(48 * hour));

const setInstanceCap = (cap: number | null) => database.pool.query(`update mailwizz_instances set hourly_cap = $1 where instance_id = 'client-1'`, [cap]);
const once = (mails: { email: string }[]) => new Set(mails.map(({ email }) => email)).size;
const shows = async (id: number, check: (row: Awaited<ReturnType<Limited['get']>>) => boolean, what: string) => until(async () => check(await limits.get(id)), what, 30_000);
const standings = async (name: string) => [...new Set((await limits.mailwizz.campaigns(name)).map(({ status }) => status))];
const isSent = (name: string, count: number) =>
  until(
    async () => {
      await limits.tick();
      return limits.sent(name).length >= count;
    },
    `${count} mails of ${name}`,
    20_000,
  ).catch(async (error: unknown) => {
    throw new Error(`${String(error)} ${JSON.stringify((await database.pool.query('select status, held_reasons, audience, hourly_cap, (select json_agg(l) from campaign_legs l where campaign_id = campaigns.id) legs from campaigns where name = $1', [name])).rows)}`);
  });

test('an hourly cap holds for every hour of what MailWizz really sent, and everybody of every country has the mail once', async () => {
  await limits.serve(async () => {
    const id = await limits.create('Capped', { hourlyCap: 20, targetCountryCodes: ['FR', 'TH'] });
    await limits.launch(id);
    await isSent('Capped', 20);
    await shows(id, ({ sent }) => sent === 20, 'the first part counted');
    await until(async () => (await limits.wait(id))?.what === 'caps', 'the wait that is shown');
    await limits.finish([id], 10 * minute);
    expect(await limits.get(id)).toMatchObject({ audience: readers, sent: readers, pending: 0 });
    expect([limits.sent('Capped').length, once(limits.sent('Capped'))]).toEqual([readers, readers]);
    expect(mostWithinAnHour(limits.sent('Capped'))).toBe(20);
    const legs = await limits.legs(id);
    expect(new Set(legs.map(({ mailwizzCampaignUid }) => mailwizzCampaignUid)).size).toBe(legs.length);
    expect(legs.map(({ segmentContacts }) => segmentContacts)).toEqual(legs.map(({ contacts }) => contacts));
  });
}, 180_000);

test('two campaigns of one instance share its cap', async () => {
  await setInstanceCap(20);
  await limits.serve(async () => {
    const ids = [await limits.create('Shared one', { maxContacts: 30 }), await limits.create('Shared two', { maxContacts: 30 })];
    await Promise.all(ids.map(limits.launch));
    await limits.finish(ids, 5 * minute);
    const mails = [...limits.sent('Shared one'), ...limits.sent('Shared two')];
    expect(mails).toHaveLength((await Promise.all(ids.map(limits.get))).reduce((sum, { audience }) => sum + audience, 0));
    expect([once(limits.sent('Shared one')), once(limits.sent('Shared two'))]).toEqual([limits.sent('Shared one').length, limits.sent('Shared two').length]);
    expect(mostWithinAnHour(mails)).toBeLessThanOrEqual(20);
    expect(mostWithinAnHour(limits.sent('Shared two'))).toBeGreaterThan(0);
  });
}, 180_000);

test('many who release at once release no more than the cap', async () => {
  await setInstanceCap(20);
  const ids: number[] = [];
  await limits.serve(async () => {
    for (const name of ['Rush one', 'Rush two', 'Rush three']) ids.push(await limits.create(name));
    for (const id of ids) {
      await limits.activities.planCampaign({ campaignId: id });
      await database.pool.query(`update campaigns set status = 'running' where id = $1`, [id]);
    }
    await Promise.all([...ids, ...ids, ...ids].map((campaignId) => limits.activities.openLeg({ campaignId }).catch(() => undefined)));
    const released = (await Promise.all(ids.map(limits.legs))).flat().filter(({ releasedAt }) => releasedAt !== null);
    const sum = released.reduce((total, { contacts }) => total + contacts, 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(20);
    await Promise.all(ids.map((id) => limits.orders.order(id, { order: 'cancel' })));
    await Promise.all(ids.map((id) => shows(id, ({ status }) => status === 'cancelled', 'the end')));
  });
}, 120_000);

test('a run that is lost between releases, with its worker, repeats nothing', async () => {
  const id = await limits.serve(async () => {
    const made = await limits.create('Lost', { hourlyCap: 25 });
    await limits.launch(made);
    await isSent('Lost', 25);
    return made;
  });
  await bench.client.workflow.getHandle(campaignWorkflowId(id)).terminate('lost');
  await limits.serve(async () => {
    await database.pool.query(`update campaigns set created_at = now() - interval '1 hour' where id = $1 and status = 'running'`, [id]);
    await limits.orders.restartLost();
    await limits.finish([id], 10 * minute);
  });
  expect([limits.sent('Lost').length, once(limits.sent('Lost'))]).toEqual([readers, readers]);
  expect(mostWithinAnHour(limits.sent('Lost'))).toBeLessThanOrEqual(25);
}, 180_000);

test('a pause in the middle of a release stops it, gives its room back, and the resume takes no more than the cap', async () => {
  await setInstanceCap(20);
  await limits.serve(async () => {
    const id = await limits.create('Paused');
    await limits.launch(id);
    await until(async () => (await standings('Paused')).includes('sending') || (await standings('Paused')).includes('pending-sending'), 'MailWizz at work');
    await limits.tick(7);
    await limits.orders.order(id, { order: 'pause' });
    await until(async () => (await standings('Paused')).join() === 'paused', 'the pause there', 5_000);
    limits.turn(2 * hour);
    const other = await limits.create('Beside', { maxContacts: 20 });
    await limits.launch(other);
    await limits.finish([other], 0);
    await limits.orders.order(id, { order: 'resume' });
    await limits.finish([id], 5 * minute);
    expect([limits.sent('Paused').length, once(limits.sent('Paused'))]).toEqual([readers, readers]);
    expect(mostWithinAnHour([...limits.sent('Paused'), ...limits.sent('Beside')])).toBeLessThanOrEqual(20);
  });
}, 180_000);

test('a campaign cancelled between releases sends nothing more and closes its sums', async () => {
  await limits.serve(async () => {
    const id = await limits.create('Cancelled', { hourlyCap: 20 });
    await limits.launch(id);
    await isSent('Cancelled', 20);
    await limits.orders.order(id, { order: 'cancel' });
    await shows(id, ({ completedAt }) => completedAt !== null, 'the end');
    limits.turn(5 * hour);
    await limits.tick();
    expect(await limits.get(id)).toMatchObject({ status: 'cancelled', audience: readers, sent: 20, skipped: 40, pending: 0 });
    expect(limits.sent('Cancelled')).toHaveLength(20);
  });
}, 60_000);

test('samples of a test grow alike, and its time begins when all of them are out', async () => {
  await limits.serve(async () => {
    const abTest = { metric: 'opens', samplePercent: 60, testMinutes: 30, confidence: 0.95, minimumSample: 5, onTie: 'first', onTooLittleData: 'first' } as const;
    const id = await limits.create('Tested', { hourlyCap: 20, abTest }, [{ key: 'a', subjectLine: 'One', share: 1 }, { key: 'b', subjectLine: 'Two', share: 1 }]);
    await limits.launch(id);
    await isSent('Tested', 20);
    const parts = (await limits.legs(id)).filter(({ releasedAt }) => releasedAt !== null);
    expect(parts.map(({ variant, contacts }) => [variant, contacts])).toEqual([['a', 10], ['b', 10]]);
    limits.turn(45 * minute); // longer than the test, and its samples are not out yet
    await until(async () => (await limits.activities.watchLegs({ campaignId: id })).test?.endsInMs === 30 * minute, 'a test that has not begun');
    await limits.finish([id], 10 * minute);
    expect([limits.sent('Tested').length, once(limits.sent('Tested'))]).toEqual([readers, readers]);
    expect(mostWithinAnHour(limits.sent('Tested'))).toBeLessThanOrEqual(20);
  });
}, 180_000);

test('a cap below what must go together holds the campaign, as does one that would cut it into thousands', async () => {
  await limits.serve(async () => {
    const id = await limits.create('Crumbs', { hourlyCap: 1 });
    await database.pool.query('update contacts set email_hash = email_hash');
    const { problems } = await limits.activities.planCampaign({ campaignId: id });
    // 60 contacts in 10,000 buckets: two may share one.
    const { rows } = await database.pool.query<{ largest: number }>('select max(n)::int largest from (select count(*) n from campaign_recipients where campaign_id = $1 group by bucket) b', [id]);
    expect(problems.map(({ code }) => code)).toEqual(rows[0]!.largest > 1 ? ['budget'] : []);
    await database.pool.query('update campaign_recipients set bucket = 77 where campaign_id = $1', [id]);
    await database.pool.query('update campaign_legs set ordered_at = now() where campaign_id = $1', [id]); // frozen as it is
    expect((await limits.activities.planCampaign({ campaignId: id })).problems).toMatchObject([{ code: 'budget' }]);
  });
}, 60_000);

/** Turns the clock to just before that time of the next day. */
function turnTo(clock: string): void {
  const at = Date.parse(`${new Date(limits.now() + 24 * hour).toISOString().slice(0, 10)}T${clock}:00Z`);
  limits.turn(at - 3_000 - limits.now());
}
const office = { days: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as ('sun' | 'mon')[], from: '09:00', to: '17:00', zone: 'UTC' };

test('a campaign that is due outside its window waits for the opening, is stopped in MailWizz at the closing, and goes on at the next opening', async () => {
  await limits.serve(async () => {
    const id = await limits.create('Windowed', { sendWindow: office });
    const stage = async () => (await bench.client.workflow.getHandle(campaignWorkflowId(id)).query<CampaignReport>(campaignMessages.state)).stage;
    turnTo('09:00');
    await limits.launch(id);
    await until(async () => (await stage()).startsWith('waits for its send window until'), 'the wait', 3_000);
    expect(await limits.wait(id)).toMatchObject({ what: 'send_window' });
    expect((await limits.get(id)).status).toBe('scheduled');
    expect(await limits.mailwizz.campaigns('Windowed')).toEqual([]);
    await shows(id, ({ status }) => status === 'running', 'the start');
    await until(async () => !(await standings('Windowed')).includes('paused') && (await standings('Windowed')).length > 0, 'MailWizz at work');
    await limits.tick(25);
    expect(limits.now()).toBeGreaterThan(0);

    turnTo('17:00');
    await until(async () => (await standings('Windowed')).join() === 'paused', 'the closing there', 15_000);
    await until(async () => (await stage()).startsWith('waits for its send window until'), 'the wait that is told');
    await limits.tick();
    expect(limits.sent('Windowed')).toHaveLength(25);
    expect((await limits.get(id)).status).toBe('running');
    expect(await limits.wait(id)).toMatchObject({ what: 'send_window' });
    // Orders are obeyed meanwhile.
    await limits.orders.order(id, { order: 'pause' });
    await limits.orders.order(id, { order: 'resume' });

    turnTo('09:00');
    await limits.finish([id], 0);
    expect([limits.sent('Windowed').length, once(limits.sent('Windowed'))]).toEqual([readers, readers]);
    const hours = limits.sent('Windowed').map(({ atMs }) => new Date(atMs).getUTCHours());
    expect(hours.every((sentAt) => sentAt >= 9 && sentAt < 17)).toBe(true);
  });
}, 180_000);

test('time in which the window was shut is no delay: a campaign is late by the hours in which it could have sent', async () => {
  const id = await limits.create('Late', { sendWindow: office, graceMinutes: 60 });
  turnTo('09:00');
  limits.turn(10 * minute);
  const check = async (dueHoursAgo: number) => (await limits.activities.checkCampaign({ campaignId: id, dueAtMs: limits.now() - dueHoursAgo * hour })).problems.map(({ code }) => code);
  expect(await check(14)).toEqual([]); // 19:10 of the day before
  expect(await check(16.8)).toEqual([]); // 16:22: 38 minutes of it could have been used, and ten of this morning
  expect(await check(17.5)).toEqual(['late']); // 15:40
}, 60_000);
