import type { ChildProcess } from 'node:child_process';
import { Pool as PgPool } from 'pg';
import { createMailwizzCampaigns } from '../src/adapters/mailwizz/campaigning';
import { createMailwizzGateway } from '../src/adapters/mailwizz/gateway';
import type { InstanceSettings } from '../src/adapters/mailwizz/types';
import { hashAddress } from '../src/domain/address';
import { everyBucket } from '../src/domain/audience';
import { type OutgoingContact, toBucket } from '../src/domain/injection';
import { toConditions } from '../src/domain/segment';
import { apiUrl, call, cpuOf, databaseUrl, pool, quick, rssMbOf, startPart, stopPart, until } from './support';

type Sandbox = { instances: { instance_id: string; api_url: string; api_key: string; control_url: string; lists: { list_id: number; list_uid: string; name: string }[] }[] };
const [instance] = (JSON.parse(process.env['BENCH_SANDBOX'] ?? '{"instances":[]}') as Sandbox).instances;
if (!instance) throw new Error('Run it with npm run bench -- campaign: it starts the stand-in.');
const { instance_id: instanceId, api_url, api_key, control_url: controlUrl, lists } = instance;
const [list, emptyList] = lists;
/** Nobody is in the second one: what an open campaign costs does not hang on its audience. */
if (!list || !emptyList) throw new Error('the stand-in has no two lists');
const place = { instanceId, listUid: list.list_uid };
const listId = list.list_id;
const farAhead = { mailwizz_list_id: emptyList.list_id, scheduled_at: '2035-01-01T10:00:00Z' };
const source = 'scraper-google-001';
/** Each is a MailWizz campaign of its own. */
const countries = ['TH', 'FR', 'PT', 'DE', 'CA'];
const fields = ['EMAIL', 'FNAME', 'LNAME', 'COMPANY', 'PHONE', 'WEBSITE', 'SOURCE', 'CATEGORY', 'TAGS', 'TAGSET', 'COUNTRY', 'LANGUAGE', 'BUCKET'];
const recipients = quick ? 10_000 : 100_000;
const open = quick ? 100 : 1_000;
const idleMs = quick ? 10_000 : 30_000;
/** What creation leaves behind in memory and queues is gone by then. */
const restMs = quick ? 5_000 : 25_000;
const callers = 8;

const settings: InstanceSettings = { instanceId, apiUrl: api_url, apiKey: api_key, allowPrivateNetwork: true, lists: lists.map(({ list_id, list_uid }) => ({ listId: list_id, listUid: list_uid, fields })) };
const gateway = createMailwizzGateway({ loadInstance: async () => settings, now: Date.now });
const database = new PgPool({ connectionString: databaseUrl, max: 4 });

/** From the order to launch until all MailWizz campaigns are started; and what campaigns cost that only wait for their day. */
async function main(): Promise<void> {
  await fetch(`${controlUrl}/clock`, { method: 'POST', body: JSON.stringify({ mode: 'manual' }) });
  const api = startPart('api');
  await until(async () => (await fetch(`${apiUrl}/healthz`)).ok, 30_000);
  await call('POST', '/api/v1/mailwizz-instances', { instance_id: instanceId, name: instanceId, api_url, api_key, allow_private_network: true });
  await call('PUT', `/api/v1/mailwizz-instances/${instanceId}/lists`, { lists });
  await call('POST', '/api/v1/data-sources', { source_id: source, source_type: 'scraping', name: source });
  const { id: template } = await call<{ id: number }>('POST', '/api/v1/email-templates', { name: 'Bench', subject_line: 'Hello {FNAME}', html_content: '<p>Hello {FNAME}</p><a href="{UNSUBSCRIBE_URL}">Leave</a>' });
  const first = startPart('worker');
  const waiting = await measureOpen(first, template);
  await stopPart(first);
  const worker = startPart('worker');
  await pause(restMs);
  const restartedMb = rssMbOf(worker.pid ?? 0);
  const placedS = await timed(placeContacts);
  const bareS = await timed(launchBare);
  const launchS = await measureLaunch(template);
  await stopPart(worker);
  await stopPart(api);
  await gateway.close();
  await database.end();
  await pool.close();

  console.log('campaign: everything on this machine');
  console.log(`  ${recipients} recipients in ${countries.length} countries, placed in ${placedS.toFixed(1)} s`);
  console.log(`  launch to all started  ${launchS.toFixed(1).padStart(8)} s`);
  console.log(`  bare insert … select of the audience, and the calls that each MailWizz campaign needs, one after the other ${bareS.toFixed(1).padStart(8)} s`);
  console.log(`  ${open} open campaigns      worker ${waiting.noneMb} MB without, ${waiting.openMb} MB after they were made, ${restartedMb} MB when it is started beside them`);
  console.log(`  idle for ${idleMs / 1_000} s         CPU ${percent(waiting.before.worker)} % worker, ${percent(waiting.before.temporal)} % Temporal, ${percent(waiting.before.api)} % api without; ${percent(waiting.after.worker)} %, ${percent(waiting.after.temporal)} %, ${percent(waiting.after.api)} % with them`);
  console.log(`bench campaign: launch_s=${launchS.toFixed(1)} open_rss_mb=${waiting.openMb - waiting.noneMb} idle_cpu_percent=${percent(waiting.after.worker)} temporal_cpu_percent=${percent(waiting.after.temporal)} ratio_to_bare=${(launchS / bareS).toFixed(1)}`);
}

const percent = (share: number) => (share * 100).toFixed(2);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1_000;
}

const createCampaign = (template: number, changes: object) =>
  call<{ campaign_id: number; status: string }>('POST', '/api/v1/campaigns', { name: 'Bench', mailwizz_instance: instanceId, email_template_id: template, from_name: 'Ana', from_email: 'ana@client1.example', target_category: 'avocat', ...changes });

/** Memory and CPU of a worker that has nothing to do, without any campaign and with many that are far ahead. */
async function measureOpen(worker: ChildProcess, template: number) {
  const warm = await createCampaign(template, farAhead);
  // The worker has just been started.
  await until(async () => call('POST', `/api/v1/campaigns/${warm.campaign_id}/cancel`).then(() => true), 60_000);
  await pause(restMs);
  const before = await measureIdle();
  const noneMb = rssMbOf(worker.pid ?? 0);
  let left = open;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left > 0) {
        left -= 1;
        const { status } = await createCampaign(template, farAhead);
        if (status !== 'scheduled') throw new Error(`a campaign is ${status}`);
      }
    }),
  );
  await pause(restMs);
  return { noneMb, before, after: await measureIdle(), openMb: rssMbOf(worker.pid ?? 0) };
}

const cpuNow = () => ({ worker: cpuOf('email-engine.cjs worker'), temporal: cpuOf('server start-dev'), api: cpuOf('email-engine.cjs api') });

async function measureIdle() {
  const from = cpuNow();
  await pause(idleMs);
  const to = cpuNow();
  const share = (name: keyof typeof from) => (to[name] - from[name]) / (idleMs / 1_000);
  return { worker: share('worker'), temporal: share('temporal'), api: share('api') };
}

/** Straight into the list and into our tables, as if they had been injected. */
async function placeContacts(): Promise<void> {
  const atOnce = 2_048;
  for (let from = 1; from <= recipients; from += atOnce) {
    const contacts = Array.from({ length: Math.min(atOnce, recipients - from + 1) }, (_, row) => makeOutgoing(from + row));
    const outcomes = await gateway.addSubscribers({ instanceId: instanceId, listId }, contacts);
    const uids = new Map(outcomes.flatMap((outcome) => (outcome.outcome === 'injected' ? [[outcome.contactId, outcome.uid] as const] : [])));
    if (uids.size < contacts.length) throw new Error('not everybody could be placed');
    const rows = contacts.map(({ contactId, email, countryCode }) => ({ id: contactId, email, email_hash: hashAddress(email), country_code: countryCode, uid: uids.get(contactId) }));
    await database.query(
      `with given as (select * from json_to_recordset($1::json) as given(id bigint, email text, email_hash text, country_code text, uid text)),
       made as (insert into contacts (id, email, email_hash, source_id, category, country_code, language, status, mailwizz_instance, mailwizz_list_id)
         overriding system value select id, email, email_hash, $2, 'avocat', country_code, 'fr', 'injected', $3, $4 from given returning id)
       insert into injections (contact_id, instance_id, list_id, state, method, subscriber_uid) select made.id, $3, $4, 'injected', 'api', given.uid from made join given on given.id = made.id`,
      [JSON.stringify(rows), source, instanceId, listId],
    );
  }
  await database.query('analyze contacts, injections');
}

function makeOutgoing(contactId: number): OutgoingContact {
  const email = `reader-${contactId}@site-${contactId % 5_000}.example`;
  return {
    contactId, email, firstName: 'Jean', lastName: 'Dupont', company: 'Cabinet Dupont', phone: null, website: null, sourceId: source, category: 'avocat', tags: ['expat'],
    countryCode: countries[contactId % countries.length] ?? null, language: 'fr', bucket: toBucket(hashAddress(email)),
  };
}

/** The floor under a launch: the audience written once, and per MailWizz campaign its segment, itself and its start. */
async function launchBare(): Promise<void> {
  await database.query(
    `create table bare_recipients as select contacts.id contact_id, contacts.country_code from injections join contacts on contacts.id = injections.contact_id
     where injections.instance_id = $1 and injections.list_id = $2 and injections.state = 'injected' and contacts.category = 'avocat' and contacts.deleted_at is null
       and not exists (select from suppressions where suppressions.email_hash = contacts.email_hash)`,
    [instanceId, listId],
  );
  const mailwizz = createMailwizzCampaigns(gateway.callsOf);
  for (const country of countries) {
    const conditions = toConditions({ sourceNumber: null, category: 'avocat', tags: [], countries, language: null, minScore: null }, { country, range: everyBucket });
    const { segmentUid } = await mailwizz.ensureSegment(place, { name: `bare ${country}`, conditions });
    const made = await mailwizz.createCampaign(place, { name: `bare ${country}`, segmentUid, fromName: 'Ana', fromEmail: 'ana@client1.example', replyTo: 'ana@client1.example', subject: 'Hello', content: { html: '<p>Hello</p><a href="[UNSUBSCRIBE_URL]">Leave</a>' }, trackUrls: true });
    if ('campaignUid' in made) await mailwizz.setPaused(instanceId, made.campaignUid, false);
  }
}

async function measureLaunch(template: number): Promise<number> {
  const { campaign_id: id } = await createCampaign(template, { mailwizz_list_id: listId, target_country_codes: countries });
  type Campaign = { held: object[]; recipients: { audience: number }; legs: { state: string; contacts: number; segment_contacts: number }[] };
  return timed(async () => {
    await call('POST', `/api/v1/campaigns/${id}/launch`);
    await until(async () => {
      const campaign = await call<Campaign>('GET', `/api/v1/campaigns/${id}`);
      return campaign.legs.length === countries.length && campaign.legs.every(({ state }) => state === 'started') && campaign.recipients.audience === recipients;
    }, 300_000);
  });
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
