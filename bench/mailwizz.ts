import { createMailwizzGateway } from '../src/adapters/mailwizz/gateway';
import type { InstanceSettings } from '../src/adapters/mailwizz/types';
import type { OutgoingContact } from '../src/domain/injection';
import { quick, rssMbOf } from './support';

type Sandbox = { instances: { instance_id: string; api_url: string; api_key: string; mysql_url: string; control_url: string; lists: { list_id: number; list_uid: string }[] }[] };
const [instance] = (JSON.parse(process.env['BENCH_SANDBOX'] ?? '{"instances":[]}') as Sandbox).instances;
if (!instance) throw new Error('Run it with npm run bench -- mailwizz: it starts the stand-in.');
const mysql = new URL(instance.mysql_url);
const fields = ['EMAIL', 'FNAME', 'LNAME', 'COMPANY', 'PHONE', 'WEBSITE', 'SOURCE', 'CATEGORY', 'TAGS', 'TAGSET', 'COUNTRY', 'LANGUAGE', 'BUCKET'];
const settings: InstanceSettings = {
  instanceId: instance.instance_id, apiUrl: instance.api_url, apiKey: instance.api_key, allowPrivateNetwork: true,
  lists: instance.lists.map((list) => ({ listId: list.list_id, listUid: list.list_uid, fields })),
  mysql: { host: mysql.hostname, port: Number(mysql.port), database: mysql.pathname.slice(1), user: mysql.username, password: mysql.password, tablePrefix: 'mw_' },
};
const listId = instance.lists[0]?.list_id ?? 0;
/** As much as the worker hands over at once. */
const atOnce = 128;
const many = quick ? 10_000 : 60_000;
const few = quick ? 300 : 1_000;
let nextId = 0;

const makeContact = (prefix: string): OutgoingContact => {
  nextId += 1;
  return {
    contactId: nextId, email: `${prefix}${nextId}@site-${nextId % 5_000}.example`, firstName: 'Jean', lastName: 'Dupont', company: `Cabinet Dupont ${nextId}`, phone: '+66 2 123 4567',
    website: 'https://site.example', sourceId: 'scraper-google-001', category: 'avocat', tags: ['avocat', 'bangkok', 'expat'], countryCode: 'TH', language: 'fr', bucket: String(nextId % 10_000).padStart(4, '0'),
  };
};
const control = async (method: string, path: string, body?: object): Promise<unknown> => (await fetch(`${instance.control_url}${path}`, { method, ...(body && { body: JSON.stringify(body) }) })).json();
const callsMade = async () => Object.values((await control('GET', '/calls')) as Record<string, number>).reduce((sum, calls) => sum + calls, 0);

/** Contacts through the gateway as the worker sends them, `size` at once; whoever is not injected ends the run. */
async function measure(prefix: string, count: number, size: number, method: 'api' | 'mysql') {
  const gateway = createMailwizzGateway({ loadInstance: async () => settings, now: Date.now });
  await gateway.addSubscribers({ instanceId: settings.instanceId, listId }, [makeContact(`warm-${prefix}`)]);
  const before = await callsMade();
  const started = performance.now();
  let rssMb = 0;
  for (let done = 0; done < count; done += size) {
    const outcomes = await gateway.addSubscribers({ instanceId: settings.instanceId, listId }, Array.from({ length: Math.min(size, count - done) }, () => makeContact(prefix)));
    const other = outcomes.find((outcome) => outcome.outcome !== 'injected' || outcome.method !== method);
    if (other) throw new Error(`not injected through ${method}: ${JSON.stringify(other)}`);
    rssMb = Math.max(rssMb, rssMbOf(process.pid));
  }
  const perSecond = count / ((performance.now() - started) / 1_000);
  await gateway.close();
  return { count, perSecond, calls: (await callsMade()) - before, rssMb };
}

async function main(): Promise<void> {
  const single = await measure('single-', few, 1, 'api');
  const firstHalf = await measure('bulk-', many / 2, atOnce * 4, 'api');
  const api = await measure('bulk-', many, atOnce * 4, 'api');
  await control('POST', '/faults', { route: '*', fault: 'down' });
  const tables = await measure('tables-', many, atOnce * 4, 'mysql');
  await control('DELETE', '/faults');
  console.log('mailwizz: contacts into the stand-in, everything on this machine');
  console.log('                      contacts  contacts/s  API calls  memory MB');
  for (const [name, figure] of [['one by one', single], ['bulk', api], ['MySQL', tables]] as const) {
    console.log(`  ${name.padEnd(18)} ${String(figure.count).padStart(9)} ${figure.perSecond.toFixed(0).padStart(11)} ${String(figure.calls).padStart(10)} ${String(figure.rssMb).padStart(10)}`);
  }
  console.log(`  memory: ${firstHalf.rssMb} MB after ${firstHalf.count} contacts, ${tables.rssMb} MB after ${nextId}`);
  console.log(`bench mailwizz: api_per_s=${api.perSecond.toFixed(0)} mysql_per_s=${tables.perSecond.toFixed(0)} ratio_to_single=${(api.perSecond / single.perSecond).toFixed(1)} worker_rss_mb=${tables.rssMb}`);
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
