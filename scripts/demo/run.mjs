import { readFile, writeFile } from 'node:fs/promises';
import { runCampaign } from './campaign.mjs';
import { demoSources, makeDeliveries } from './contacts.mjs';

const counters = ['received', 'accepted', 'duplicates', 'rejected', 'injected', 'invalid', 'suppressed', 'unroutable', 'failed', 'waiting'];
const settleLimitMs = 180_000;
const subscribersBeforeFailure = 400;
/** The API that went down comes back after these, so that the way back is seen too. */
const deliveriesBeforeHealing = 4;

/**
 * Seeds instances and sources through the public API, posts the demo deliveries with each source's own key, waits until nothing is in flight, sends a
 * campaign to those who arrived and prints what became of them. @returns {Promise<{ ok: boolean }>} ok when all sums add up.
 */
export async function runDemo({ apiUrl, adminKey, sandbox, uiUrl, keysFile, say }) {
  const call = createCaller(apiUrl, adminKey);
  await seedInstances(call, sandbox);
  const keys = await seedSources(call, keysFile);

  const deliveries = makeDeliveries();
  const failing = sandbox.instances[0];
  say(`Posting ${deliveries.reduce((sum, delivery) => sum + delivery.contacts.length, 0)} contacts from ${deliveries.length} sources through ${apiUrl}/api/v1/contacts/ingest`);
  const [before, after] = [deliveries.slice(0, deliveriesBeforeHealing), deliveries.slice(deliveriesBeforeHealing)];
  const earlier = await injectedInto(call, failing);
  await failAfter(failing, subscribersBeforeFailure);
  say(`The API of ${failing.instance_id} goes down after ${subscribersBeforeFailure} subscribers: the rest of its contacts arrive through MySQL.`);
  const first = await settle(call, await post(before), say);
  await fetch(`${failing.control_url}/faults`, { method: 'DELETE' });
  const down = await injectedInto(call, failing);
  say(`The API of ${failing.instance_id} is back (${down.api - earlier.api} contacts came through it, ${down.mysql - earlier.mysql} through MySQL): the next ones take it again.`);
  const settled = [...first, ...(await settle(call, await post(after), say))];
  const back = await injectedInto(call, failing);
  say(`${failing.instance_id} since then: ${back.api - down.api} through the API, ${back.mysql - down.mysql} through MySQL.`);
  const campaign = await runCampaign({ call, instance: failing, say });
  return report({ call, sandbox, batches: settled, campaign, apiUrl, uiUrl, say });

  async function post(some) {
    const batches = [];
    for (const delivery of some) {
      const answer = await createCaller(apiUrl, keys[delivery.source_id])('POST', '/api/v1/contacts/ingest', delivery);
      batches.push(answer.batch_id);
      say(`  ${delivery.source_id.padEnd(26)} ${String(delivery.contacts.length).padStart(5)} posted, batch ${answer.batch_id}`);
    }
    return batches;
  }
}

async function injectedInto(call, instance) {
  const { items } = await call('GET', `/api/v1/mailwizz-instances/${instance.instance_id}/lists`);
  return items.reduce((sum, list) => ({ api: sum.api + list.injected_api, mysql: sum.mysql + list.injected_mysql }), { api: 0, mysql: 0 });
}

function createCaller(apiUrl, key) {
  return async (method, path, body) => {
    const answer = await fetch(apiUrl + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await answer.text();
    if (!answer.ok && answer.status !== 409) throw new Error(`${method} ${path} answered ${answer.status}: ${text.slice(0, 500)}`);
    return { ...(text ? JSON.parse(text) : {}), httpStatus: answer.status };
  };
}

async function seedInstances(call, sandbox) {
  const mappings = { 'client-1': { avocat: 12, assureur: 13, notaire: 14 }, 'client-2': { blogueur: 45, influenceur: 46, admin_facebook: 47 } };
  for (const instance of sandbox.instances) {
    const mysql = new URL(instance.mysql_url);
    const settings = {
      name: `${instance.instance_id} MailWizz (sandbox)`,
      api_url: instance.api_url,
      api_key: instance.api_key,
      mysql_enabled: true,
      mysql_host: mysql.hostname,
      mysql_port: Number(mysql.port),
      mysql_database: mysql.pathname.slice(1),
      mysql_user: decodeURIComponent(mysql.username),
      mysql_password: decodeURIComponent(mysql.password),
      allow_private_network: true,
      list_mapping: mappings[instance.instance_id] ?? {},
    };
    const made = await call('POST', '/api/v1/mailwizz-instances', { instance_id: instance.instance_id, ...settings });
    if (made.httpStatus === 409) await call('PATCH', `/api/v1/mailwizz-instances/${instance.instance_id}`, settings);
    await call('PUT', `/api/v1/mailwizz-instances/${instance.instance_id}/lists`, { lists: instance.lists });
  }
}

/** Keys are shown once, so they are kept beside the demo's data for the next run. */
async function seedSources(call, keysFile) {
  const kept = await readFile(keysFile, 'utf8').then(JSON.parse, () => ({}));
  for (const { frequency, categories: _, share: __, ...source } of demoSources) {
    await call('POST', '/api/v1/data-sources', { ...source, config: { frequency } });
    kept[source.source_id] ??= (await call('POST', `/api/v1/data-sources/${source.source_id}/keys`, { name: 'demo' })).key;
  }
  await writeFile(keysFile, JSON.stringify(kept), { mode: 0o600 });
  return kept;
}

async function failAfter(instance, subscribers) {
  await fetch(`${instance.control_url}/faults`, { method: 'DELETE' });
  await fetch(`${instance.control_url}/faults`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ route: '*', fault: 'down', after: subscribers }) });
}

async function settle(call, batchIds, say) {
  const until = Date.now() + settleLimitMs;
  for (let told = ''; ; ) {
    const batches = [];
    for (const id of batchIds) batches.push(await call('GET', `/api/v1/batches/${id}`));
    const sum = total(batches);
    const line = `  ${sum.received} received, ${sum.accepted} accepted, ${sum.injected} injected, ${sum.invalid} invalid, ${sum.waiting} in flight`;
    if (line !== told) say((told = line));
    if (batches.every((batch) => batch.state === 'completed') || Date.now() > until) return batches;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const total = (batches) => Object.fromEntries(counters.map((name) => [name, batches.reduce((sum, batch) => sum + batch[name], 0)]));

async function report({ call, sandbox, batches, campaign, apiUrl, uiUrl, say }) {
  const figures = batches.map((batch) => ({ name: batch.source_id, ...pickCounters(batch) }));
  say('\nPer source');
  table(say, ['name', ...counters], [...figures, { name: 'all', ...total(batches) }]);
  const reasons = new Map();
  for (const batch of batches) {
    const { items } = await call('GET', `/api/v1/batches/${batch.batch_id}/rows?outcome=rejected&limit=200`);
    for (const row of items) reasons.set(`${row.reason} (${row.field || 'row'})`, (reasons.get(`${row.reason} (${row.field || 'row'})`) ?? 0) + 1);
  }
  say('\nRejected, by reason');
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1])) say(`  ${String(count).padStart(5)}  ${reason}`);

  say('\nPer list, as MailWizz stores it, with all earlier demos');
  const lists = [];
  for (const instance of sandbox.instances) {
    const { lists: truth } = await fetch(`${instance.control_url}/truth`).then((answer) => answer.json());
    const { items } = await call('GET', `/api/v1/mailwizz-instances/${instance.instance_id}/lists`);
    for (const list of truth) {
      const ours = items.find((item) => item.list_id === list.list_id);
      lists.push({ name: `${instance.instance_id} / ${list.list_id}`, api: ours?.injected_api ?? 0, mysql: ours?.injected_mysql ?? 0, ledger: (ours?.injected_api ?? 0) + (ours?.injected_mysql ?? 0), subscribers: list.subscribers, distinct: list.distinct_emails });
    }
  }
  table(say, ['name', 'api', 'mysql', 'ledger', 'subscribers', 'distinct'], lists);

  say('\nConnections, as check-mailwizz sees them');
  let connected = true;
  for (const { instance_id } of sandbox.instances) {
    const { good, findings } = await call('POST', `/api/v1/mailwizz-instances/${instance_id}/test`);
    connected &&= good;
    say(`  ${instance_id}  ${good ? 'in order' : findings.filter(({ state }) => state === 'bad').map(({ part, words }) => `${part}: ${words}`).join(' ')}`);
  }

  const sums = total(batches);
  const ok =
    connected &&
    campaign.ok &&
    sums.received === sums.accepted + sums.duplicates + sums.rejected &&
    sums.accepted === sums.injected + sums.invalid + sums.suppressed + sums.unroutable + sums.failed + sums.waiting &&
    lists.every((list) => list.ledger === list.subscribers && list.subscribers === list.distinct) &&
    batches.every((batch) => batch.state === 'completed');
  say(`\nAPI ${apiUrl}   docs ${apiUrl}/docs   Temporal ${uiUrl}`);
  if (!ok) say('The sums do not add up.');
  say(`campaign: ${Object.entries(campaign.figures).map(([name, count]) => `${name}=${count}`).join(' ')}`);
  say(`sums: ${counters.map((name) => `${name}=${sums[name]}`).join(' ')}`);
  return { ok };
}

const pickCounters = (batch) => Object.fromEntries(counters.map((name) => [name, batch[name]]));

function table(say, columns, rows) {
  const width = (column) => Math.max(column.length, ...rows.map((row) => String(row[column]).length));
  const line = (cells) => '  ' + cells.map((cell, index) => (index === 0 ? String(cell).padEnd(width(columns[0])) : String(cell).padStart(width(columns[index])))).join('  ');
  say(line(columns.map((column) => (column === 'name' ? '' : column))));
  for (const row of rows) say(line(columns.map((column) => row[column])));
}
