import { getCampaign, insertCampaign, type NewCampaign, type NewVariant } from '../../db/queries/campaigns';
import { listLegs } from '../../db/queries/campaign-legs';
import { type Activities, createActivities } from '../../src/activities';
import { createMailwizzCampaigns } from '../../src/adapters/mailwizz/campaigning';
import { createMailwizzGateway } from '../../src/adapters/mailwizz/gateway';
import { createVault } from '../../src/adapters/vault';
import { createCampaignOrders } from '../../src/api/campaign-orders';
import { findWait } from '../../src/api/campaign-waits';
import { createInstanceLoader } from '../../src/instance-settings';
import { createLog } from '../../src/log';
import { campaignsOf } from './campaigns';
import type { FreshDatabase } from './database';
import { makeContacts, seed, settled, startEngine, until } from './engine';
import { controlOf, sandboxInfo } from './sandbox';
import { freshQueue, type WorkflowBench } from './workflows';

const minute = 60_000;
export const hour = 60 * minute;

/** Campaigns on a clock that a test turns, against the sandbox, with a ledger of every mail that left there and when by that clock. */
export async function openLimits(database: FreshDatabase, bench: WorkflowBench, readers: number) {
  const mailwizz = controlOf(sandboxInfo().instances[0]!);
  await mailwizz.heal();
  await mailwizz.empty();
  await mailwizz.clock({ mode: 'manual' });
  const engine = await startEngine(database.url);
  await seed(engine);
  const contacts = makeContacts(readers, 'capped-').map((contact, index) => ({ ...contact, country_code: index % 3 === 0 ? 'FR' : 'TH' }));
  await settled(engine, (await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts })).body.batch_id);
  const templateId = await campaignsOf(engine).makeTemplate();
  await engine.stop();

  const { db } = database;
  const log = createLog(process.env['TEST_LOG'] ?? 'silent');
  const vault = createVault({ keys: new Map([['k1', Buffer.alloc(32, 7)]]), currentKid: 'k1' });
  const gateway = createMailwizzGateway({ loadInstance: createInstanceLoader({ db, vault }), now: Date.now, log });
  let aheadMs = 0;
  const now = () => new Date(Date.now() + aheadMs);
  const activities: Activities = createActivities({
    db, mailwizz: gateway, campaigns: createMailwizzCampaigns(gateway.callsOf), now, log,
    verifier: { verifyAddresses: async () => [] },
    settings: { depth: 'dns', waits: {} as never, injectionWaitsMs: [], dueBucketMs: 200, campaignLookMs: 100 },
  });
  const taskQueue = freshQueue();
  const orders = createCampaignOrders({ db, client: bench.client, taskQueue, log });
  const mails: { atMs: number; name: string; email: string }[] = [];
  const seen = new Map<string, number>();

  /** Lets MailWizz send, and notes who had a mail now. */
  async function tick(max?: number): Promise<void> {
    await mailwizz.tick(max);
    for (const { campaign_uid: uid, name } of await mailwizz.campaigns('[ee-')) {
      const sent = await mailwizz.sentTo(uid);
      mails.push(...sent.slice(seen.get(uid) ?? 0).map((email) => ({ atMs: now().getTime(), name: name.replace(/ \[.*/, ''), email })));
      seen.set(uid, sent.length);
    }
  }

  const create = async (name: string, changes: Partial<NewCampaign> = {}, variants: NewVariant[] = []) => {
    const row = await insertCampaign(db, { name, mailwizzInstance: 'client-1', mailwizzListId: 12, emailTemplateId: templateId, fromName: 'Ana', fromEmail: 'ana@client1.example', targetCategory: 'avocat', graceMinutes: 100_000_000, ...changes }, variants);
    await orders.start(row);
    return row.id;
  };
  const get = (id: number) => getCampaign(db, id);
  return {
    mailwizz, orders, activities, taskQueue, mails, tick, create, get,
    legs: (id: number) => listLegs(db, id),
    wait: async (id: number) => findWait(db, await get(id), now().getTime()),
    launch: (id: number) => orders.order(id, { order: 'launch', atMs: Date.now() }),
    now: () => now().getTime(),
    turn: (ms: number) => void (aheadMs += ms),
    serve: <T>(work: () => Promise<T>) => bench.serve(activities, work, ['client-1'], taskQueue),
    sent: (name: string) => mails.filter((mail) => mail.name === name),
    /** MailWizz sends all that it may, whenever it may, with the clock going on, until the campaigns are over. Their sums add up at every look. */
    async finish(ids: number[], stepMs: number): Promise<void> {
      let rows: Awaited<ReturnType<typeof get>>[] = [];
      const wrong: unknown[] = [];
      await until(
        async () => {
          await tick();
          rows = await Promise.all(ids.map(get));
          wrong.push(...rows.filter((row) => row.audience !== row.sent + row.skipped + row.failed + row.pending));
          if (rows.every(({ status }) => status === 'completed')) return true;
          aheadMs += stepMs;
          return false;
        },
        'the end of all campaigns',
        100_000,
      ).catch(async (error: unknown) => {
        throw new Error(`${String(error)} ${JSON.stringify({ now: now(), rows: rows.map(({ status, sent, pending, heldReasons, pauseReason }) => ({ status, sent, pending, heldReasons, pauseReason })), legs: (await Promise.all(ids.map((id) => listLegs(db, id)))).flat() })}`);
      });
      expect(wrong).toEqual([]);
    },
    close: async () => {
      await mailwizz.clock({ mode: 'auto' });
      await gateway.close();
    },
  };
}
export type Limited = Awaited<ReturnType<typeof openLimits>>;

/** The most that left within any hour. */
export const mostWithinAnHour = (mails: { atMs: number }[]) =>
  Math.max(0, ...mails.map(({ atMs }) => mails.filter((mail) => mail.atMs > atMs - hour && mail.atMs <= atMs).length));
