import { claimInjections, recordInjections, renewClaims } from '../../db/queries/injections';
import { recordVerdicts, type VerifiedContact } from '../../db/queries/pages';
import { claimPlacements, insertPlacements, recordPlacements } from '../../db/queries/placements';
import { reopenLeftRows } from '../../db/queries/batches';
import type { InjectionOutcome } from '../../src/domain/injection';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { rowsOf } from '../support/rows';

let database: FreshDatabase;
let rows: ReturnType<typeof rowsOf>;
const start = new Date('2027-01-01T00:00:00Z');
const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);

beforeAll(async () => {
  database = await freshDatabase();
  rows = rowsOf(database);
  await rows.base();
});
afterAll(() => database.drop());
beforeEach(() => rows.clear());

type Page = Awaited<ReturnType<typeof rows.openBatch>>['page'];
const at = (page: Page, now: Date) => ({ ...page, now, instanceId: 'client-1', waitsMs: [1000] });
const claim = (page: Page, now: Date) => claimInjections(database.db, { ...at(page, now), limit: 100, afterId: 0 });
const injected = (contactId: number): InjectionOutcome => ({ contactId, outcome: 'injected', uid: `uid${contactId}`, method: 'api' });
const pending = (contactId: number): InjectionOutcome => ({ contactId, outcome: 'pending', reason: 'absent' });
const ledger = () => rows.query('select contact_id, instance_id, state, attempt from injections order by id');

test('two workers that claim one page at once get every contact once', async () => {
  const { page, ids } = await rows.openBatch(50);
  const claims = await Promise.all([claim(page, start), claim(page, start), claim(page, start)]);
  expect(claims.flatMap(({ fresh }) => fresh.map((contact) => contact.contactId)).toSorted((a, b) => a - b)).toEqual(ids);
});

test('what a slower attempt has to say comes too late: the claim of the later one stands', async () => {
  const { page, ids } = await rows.openBatch(1);
  const first = await claim(page, start);
  const lookUp = await claim(page, later(60));
  expect(lookUp.unsettled).toHaveLength(1);
  await recordInjections(database.db, at(page, later(60)), lookUp.unsettled, [pending(ids[0]!)], true);
  await rows.query('update batch_rows set retry_at = null');
  const second = await claim(page, later(70));
  expect(second.fresh.map((contact) => contact.attempt)).toEqual([2]);
  await recordInjections(database.db, at(page, later(71)), first.fresh, [pending(ids[0]!)], false);
  expect((await claim(page, later(72))).fresh).toEqual([]); // still being sent by the second
  await recordInjections(database.db, at(page, later(73)), second.fresh, [injected(ids[0]!)], false);
  expect(await ledger()).toMatchObject([{ state: 'injected', attempt: 2 }]);
});

test('an address that is absent stays unknown while a call of ours may still be alive', async () => {
  const { page, ids } = await rows.openBatch(1);
  await claim(page, start);
  const early = await claim(page, later(10));
  await recordInjections(database.db, at(page, later(10)), early.unsettled, [pending(ids[0]!)], true);
  expect(await ledger()).toMatchObject([{ state: 'unknown' }]);
});

test('a claim that waited is renewed only for those that are still ours and may still be mailed', async () => {
  const { page, ids } = await rows.openBatch(3);
  const { fresh } = await claim(page, start);
  await rows.query(`insert into suppressions (email_hash, reason, origin) values ('hash1', 'unsubscribed', 'test')`);
  await rows.query('update injections set attempt = 2 where contact_id = $1', [ids[1]]);
  const renewed = await renewClaims(database.db, { instanceId: 'client-1', contacts: fresh, now: later(6) });
  expect(renewed.map(({ contactId, claimedAtMs }) => [contactId, claimedAtMs])).toEqual([[ids[2], later(6).getTime()]]);
});

test('recording twice changes nothing: one event, one fate, one count', async () => {
  const { page, ids } = await rows.openBatch(2);
  const { fresh } = await claim(page, start);
  for (const _ of [1, 2]) await recordInjections(database.db, at(page, start), fresh, ids.map(injected), false);
  expect(await rows.query('select injected, accepted from import_batches')).toEqual([{ injected: 2, accepted: 2 }]);
  expect(await rows.query(`select count(*)::int n from contact_events where event_type = 'injected'`)).toEqual([{ n: 2 }]);
});

test('what an injected contact went without is written into the ledger, its result and its event', async () => {
  const { page, ids } = await rows.openBatch(1);
  const { fresh } = await claim(page, start);
  await recordInjections(database.db, at(page, start), fresh, [{ contactId: ids[0]!, outcome: 'injected', uid: 'u', method: 'api', reason: 'tags_cut' }], false);
  expect(await rows.query(`select state, reason, injection_result ->> 'reason' result, injection_result ->> 'status' status from injections join contacts on contacts.id = contact_id`)).toEqual([{ state: 'injected', reason: 'tags_cut', result: 'tags_cut', status: 'success' }]);
  expect(await rows.query(`select event_data ->> 'reason' reason from contact_events`)).toEqual([{ reason: 'tags_cut' }]);
});

test('an order not to mail, and a deletion, close the row before anything is claimed', async () => {
  const { page, ids } = await rows.openBatch(3);
  await rows.query(`insert into suppressions (email_hash, reason, origin) values ('hash1', 'spam_report', 'test')`);
  await rows.query('update contacts set deleted_at = now() where id = $1', [ids[1]]);
  expect((await claim(page, start)).fresh.map((contact) => contact.contactId)).toEqual([ids[2]]);
  expect(await rows.query('select fate, fate_reason from batch_rows order by row_number')).toEqual([{ fate: 'suppressed', fate_reason: 'spam_report' }, { fate: 'suppressed', fate_reason: 'deleted' }, { fate: null, fate_reason: null }]);
});

test('an order not to mail that comes while the call is under way is not overwritten', async () => {
  const { page, ids } = await rows.openBatch(1);
  const { fresh } = await claim(page, start);
  await rows.query(`update contacts set status = 'unsubscribed'`);
  await recordInjections(database.db, at(page, start), fresh, [injected(ids[0]!)], false);
  expect(await rows.query('select status from contacts')).toEqual([{ status: 'unsubscribed' }]);
});

test('a contact placed at a second client still gets its place at the first, by the sweep', async () => {
  const { ids, batchId } = await rows.openBatch(1);
  await insertPlacements(database.db, [{ contact_id: ids[0]!, instance_id: 'client-2', list_id: 45, rule: 'source_default', batch_id: batchId }]);
  const placement = { instanceId: 'client-2', batchIds: [batchId], afterId: 0, limit: 10, now: start };
  const { fresh } = await claimPlacements(database.db, placement);
  await recordPlacements(database.db, placement, fresh, [injected(ids[0]!)], false);
  expect(await rows.query('select status, mailwizz_subscriber_uid, injected_at from contacts')).toEqual([{ status: 'validated', mailwizz_subscriber_uid: null, injected_at: null }]);
  await rows.query(`update import_batches set state = 'completed'`);
  await rows.query(`update batch_rows set retry_at = 'infinity'`);
  expect(await reopenLeftRows(database.db, { stage: 'injection', after: { batchId: 0, row: 0 }, limit: 10 })).toMatchObject({ batchIds: [batchId] });
});

test('rows of an instance that is not in service do not keep the sweep from those behind them', async () => {
  const first = await rows.openBatch(3);
  await rows.query(`update contacts set mailwizz_instance = 'client-2'`);
  await rows.query(`insert into contacts (email, email_hash, status, mailwizz_instance, mailwizz_list_id) values ('z@x.example', 'z', 'validated', 'client-1', 12)`);
  await rows.query(`insert into batch_rows (batch_id, row_number, received_at, payload, outcome, contact_id) select $1, 9, now(), '{}', 'accepted', id from contacts where email_hash = 'z'`, [first.batchId]);
  await rows.query(`update import_batches set state = 'completed'`);
  await rows.query(`update mailwizz_instances set parked_at = case when instance_id = 'client-2' then now() end`);
  expect(await reopenLeftRows(database.db, { stage: 'injection', after: { batchId: 0, row: 0 }, limit: 1 })).toMatchObject({ last: { row: 9 } });
  await rows.query('update mailwizz_instances set parked_at = null');
});

const verdict = (contact_id: number, status: 'validated' | 'invalid'): VerifiedContact => ({ contact_id, status, email_valid: status === 'validated', result: {}, reason: 'accepted', retry_at: null });

test('a verdict is told once, however often it is recorded', async () => {
  const { page, ids } = await rows.openBatch(1, { status: 'pending' });
  for (const _ of [1, 2]) await recordVerdicts(database.db, { ...page, now: start, force: false }, [verdict(ids[0]!, 'validated')]);
  expect(await rows.query('select event_type from contact_events')).toEqual([{ event_type: 'validated' }]);
});

test('a forced look that finds a good address dead makes it invalid, and its row does not go on', async () => {
  const { page, ids } = await rows.openBatch(1);
  await recordVerdicts(database.db, { ...page, now: start, force: true }, [verdict(ids[0]!, 'invalid')]);
  expect(await rows.query('select status from contacts')).toEqual([{ status: 'invalid' }]);
  expect(await rows.query('select fate from batch_rows')).toEqual([{ fate: 'invalid' }]);
  expect((await claim(page, start)).fresh).toEqual([]);
});
