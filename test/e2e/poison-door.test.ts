import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, startEngine } from '../support/engine';
import { fragments, texts } from '../support/poison';

let database: FreshDatabase;
let engine: Engine;
let document: { paths: Record<string, Record<string, Operation>>; components: { schemas: object } };
type Schema = { properties?: Record<string, Schema>; items?: Schema; anyOf?: Schema[] };
type Operation = { parameters: { name: string; in: string }[]; requestBody?: { content: Record<string, { schema: Schema }> } };
const source = 'api-poison';

/** What exists, so that a request gets as far as its poison. */
const existing: Record<string, string> = { source_id: source, instance_id: 'client-1' };
/** Bodies that are right but for what a test puts in. Other operations are asked with their properties one by one. */
const template = { name: 't', subject_line: 's', html_content: '<a href="{UNSUBSCRIBE_URL}">x</a>', plain_text_content: '{UNSUBSCRIBE_URL}' };
const instance = { name: 'i', api_url: 'https://m.example/api', api_key: 'k', mysql_enabled: true, mysql_host: 'h', mysql_database: 'd', mysql_user: 'u', mysql_password: 'p', list_mapping: { avocat: 12 } };
const bodies: Record<string, object> = {
  'post /contacts/ingest': { source_id: source, source_config: { query: 'q', deeper: { list: ['x'] } }, contacts: [{ email: 'x' }] },
  'post /data-sources': { source_id: source, source_type: 'api', name: 's', description: 'd', config: { frequency: { every: ['day'] } }, default_mailwizz_instance: 'client-1', default_list_mapping: { avocat: 12 } },
  'patch /data-sources/{source_id}': { name: 's', description: 'd', config: { frequency: { every: ['day'] } }, default_list_mapping: { avocat: 12 } },
  'post /data-sources/{source_id}/keys': { name: 'k', expires_at: '2030-01-01T00:00:00Z' },
  'patch /contacts/{contact_id}': { first_name: 'f', last_name: 'l', company: 'c', phone: 'p', website: 'w', country_code: 'FR', language: 'fr', category: 'c', tags: ['t'], social_links: { linkedin: 'l' }, score: 1 },
  'post /mailwizz-instances': { instance_id: 'client-1', ...instance },
  'patch /mailwizz-instances/{instance_id}': instance,
  'put /mailwizz-instances/{instance_id}/lists': { lists: [{ list_id: 12, list_uid: 'ab', name: 'l', fields: ['EMAIL'] }] },
  'post /email-templates': template,
  'patch /email-templates/{template_id}': template,
  'post /campaigns': { name: 'c', mailwizz_instance: 'client-1', mailwizz_list_id: 12, subject_line: 's', from_name: 'f', from_email: 'f@f.example', target_tags: ['t'], target_country_codes: ['FR'], scheduled_at: '2030-01-01T00:00:00Z' },
};
/** These speak to a foreign system inside the request; their paths are asked all the same. */
const speaksOutside = /\/(test|fields|sync|reconcile)$/;

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url, { only: 'api', env: { INGEST_WAIT: '10ms' } });
  const make = async (path: string, body: object) => expect(await engine.call('POST', `/api/v1${path}`, body)).toMatchObject({ status: 201 });
  await make('/mailwizz-instances', bodies['post /mailwizz-instances']!);
  await make('/data-sources', bodies['post /data-sources']!);
  await make('/email-templates', template);
  await database.pool.query(`insert into contacts (email, email_hash, source_id, status) values ('p@p.example', 'p', $1, 'validated')`, [source]);
  for (const [param, table] of [['contact_id', 'contacts'], ['template_id', 'email_templates']] as const) existing[param] = String((await database.pool.query<{ id: number }>(`select id from ${table} limit 1`)).rows[0]!.id);
  document = (await engine.call('GET', '/openapi.json')).body;
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path.replace('/api/v1', '')}`, method: method.toUpperCase(), path, operation })));
const fill = (path: string, values: Record<string, string>) => path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? existing[name] ?? '1'));

type Request = { method: string; path: string; body?: string };
const lanes = 8;
/** All of them are asked, some at a time; answers those that were answered with a fault of ours. */
async function findFaults(requests: Request[]): Promise<string[]> {
  const queue = [...requests];
  const faults: string[] = [];
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let request = queue.pop(); request !== undefined; request = queue.pop()) {
        const answer = await engine.call(request.method, request.path, request.body);
        if (answer.status >= 500) faults.push(`${answer.status} ${request.method} ${request.path.slice(0, 150)} ${request.body?.slice(0, 300) ?? ''}`);
      }
    }),
  );
  return faults;
}

const hole = '@poison@';
/** The body with each of its values, at any depth, taken out in turn; with each property that it lacks; and with a strange key in each object. */
function withHoles(value: unknown): unknown[] {
  if (Array.isArray(value)) return [hole, ...value.flatMap((item, index) => withHoles(item).map((holed) => value.with(index, holed)))];
  if (typeof value !== 'object' || value === null) return [hole];
  return [hole, { ...value, [hole]: 1 }, ...Object.entries(value).flatMap(([key, inner]) => withHoles(inner).map((holed) => ({ ...value, [key]: holed })))];
}
const put = (holed: unknown, fragment: string) => JSON.stringify(holed).replace(`"${hole}"`, fragment);

test('no text in a path is a fault of ours', async () => {
  const requests = operations().flatMap(({ method, path, operation }) =>
    operation.parameters.filter((parameter) => parameter.in === 'path').flatMap(({ name }) =>
      [...texts.map((text) => encodeURIComponent(text.toWellFormed())), '%ED%A0%80', '%C0%80', '%FF', '%', '%2e%2e%2f'].filter((text) => !['', '.', '..'].includes(text)).map((text) => ({
        method,
        path: fill(path.replace(`{${name}}`, '@'), existing).replace('@', text.slice(0, 2_000)),
        ...(['POST', 'PUT', 'PATCH'].includes(method) && { body: '{}' }),
      })),
    ),
  );
  expect(requests.length).toBeGreaterThan(2_000);
  expect(await findFaults(requests.filter(({ path }) => !path.includes('client-1/')))).toEqual([]);
}, 300_000);

test('no text in a filter is a fault of ours', async () => {
  const requests = operations().filter(({ method }) => method === 'GET').flatMap(({ method, path, operation }) =>
    operation.parameters.filter((parameter) => parameter.in === 'query').flatMap(({ name }) =>
      [...texts.map((text) => encodeURIComponent(text.toWellFormed())), '%ED%A0%80', '%00', '%FF', '1&' + name + '=2', '9007199254740993', '1e400', '-0', '3000000000'].map((text) => ({ method, path: `${fill(path, existing)}?${name}=${text.slice(0, 2_000)}` })),
    ),
  );
  const strange = operations().filter(({ method }) => method === 'GET').flatMap(({ method, path }) => ['__proto__=1', 'constructor=1', '%00=1', '=1', '[]=1', 'a[b]=1'].map((text) => ({ method, path: `${fill(path, existing)}?${text}` })));
  expect(requests.length).toBeGreaterThan(1_000);
  expect(await findFaults([...requests, ...strange])).toEqual([]);
}, 300_000);

test('no value and no key in a body is a fault of ours, at any depth', async () => {
  const requests = operations().filter(({ name, operation }) => operation.requestBody && !speaksOutside.test(name)).flatMap(({ name, method, path, operation }) => {
    const properties = Object.keys(operation.requestBody!.content['application/json']!.schema.properties ?? {});
    const base = bodies[name] ?? {};
    const holed = [...withHoles(base), ...properties.filter((property) => !Object.hasOwn(base, property)).map((property) => ({ ...base, [property]: hole }))];
    return holed.flatMap((body) => fragments.filter((fragment) => fragment.startsWith('"') || !JSON.stringify(body).includes(`"${hole}":`)).map((fragment) => ({ method, path: fill(path, existing), body: put(body, fragment) })));
  });
  expect(requests.length).toBeGreaterThan(8_000);
  expect(await findFaults(requests)).toEqual([]);
}, 600_000);

test('what a change accepts is what it keeps', async () => {
  const path = `/api/v1/contacts/${existing['contact_id']}`;
  for (const field of ['first_name', 'company', 'website']) {
    for (const text of texts) {
      const { status, body } = await engine.call('PATCH', path, { [field]: text });
      if (status === 200) expect([field, body[field]]).toEqual([field, text.trim() || null]);
      else expect([text.slice(0, 20), status, body.errors[0].field]).toEqual([text.slice(0, 20), 422, field]);
    }
  }
}, 120_000);

test('calls that share a commit with poison are accepted', async () => {
  expect((await engine.call('PATCH', `/api/v1/data-sources/${source}`, { is_active: true })).status).toBe(200);
  const post = (sourceId: unknown) => engine.call('POST', '/api/v1/contacts/ingest', { source_id: sourceId, contacts: [{ email: 'a@site-1.example' }] }, { prefer: 'respond-async' });
  for (const text of texts) {
    const answers = await Promise.all([post(source), post(text), post(source), post(text), post(source)]);
    const [first, poisoned, second, again, third] = answers.map((answer) => answer.status);
    expect([text.slice(0, 20), first, second, third, poisoned === again && [202, 409, 422].includes(poisoned!)]).toEqual([text.slice(0, 20), 202, 202, 202, true]);
  }
}, 120_000);
