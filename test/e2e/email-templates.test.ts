import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, startEngine } from '../support/engine';

let database: FreshDatabase;
let engine: Engine;
const source = 'scraper-google-001';
const end = '<a href="{UNSUBSCRIBE_URL}">stop</a>';

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url);
  for (const source_id of [source, 'other-source']) await engine.call('POST', '/api/v1/data-sources', { source_id, source_type: 'scraping', name: source_id });
  await engine.call('POST', '/api/v1/mailwizz-instances', { instance_id: 'client-1', name: 'Client 1', api_url: 'http://127.0.0.1:1/api', api_key: 'k' });
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

const path = '/api/v1/email-templates';
const body = (changes: object = {}) => ({ name: 'Lawyers template FR', source_id: source, category: 'avocat', subject_line: 'Partenariat Client 1 - {COMPANY}', html_content: `<p>Bonjour {FNAME}</p>${end}`, plain_text_content: 'Bonjour {FNAME} {UNSUBSCRIBE_URL}', language: 'fr', ...changes });
const make = async (changes: object = {}) => {
  const { status, body: made } = await engine.call('POST', path, body(changes));
  expect([status, made]).toEqual([201, expect.anything()]);
  return made;
};
const audit = async (id: number) => (await database.pool.query("select action, details->>'version' version from audit_log where entity = $1 order by id", [`template:${id}`])).rows;
const bind = async (id: number) =>
  (await database.pool.query("insert into campaigns (name, mailwizz_instance, mailwizz_list_id, email_template_id, template_version) values ('c', 'client-1', 12, $1, 1) returning id", [id])).rows[0].id;

test('a template is made as version 1, read back as it was sent, and found by its facts', async () => {
  const answer = await engine.call('POST', path, body({ category: 'Notaire' }));
  const { id } = answer.body;
  expect(answer).toMatchObject({ status: 201, body: { version: 1, category: 'notaire', is_active: true, times_used: 0 } });
  expect(answer.headers.get('location')).toBe(`${path}/${id}`);
  expect((await engine.call('GET', `${path}/${id}`)).body).toMatchObject({ html_content: `<p>Bonjour {FNAME}</p>${end}`, plain_text_content: 'Bonjour {FNAME} {UNSUBSCRIBE_URL}', source_id: source, language: 'fr' });
  const found = (await engine.call('GET', `${path}?category=notaire&language=fr&is_active=true&source_id=${source}&q=lawyers`)).body;
  expect(found).toMatchObject({ total: 1, items: [{ id, subject_line: 'Partenariat Client 1 - {COMPANY}' }] });
  expect(found.items[0]).not.toHaveProperty('html_content');
  expect((await engine.call('GET', `${path}?category=notaire&is_active=false`)).body.total).toBe(0);
  expect(await audit(id)).toEqual([{ action: 'template.created', version: '1' }]);
});

test('only a change of content makes a version, and old versions stay as they were', async () => {
  const { id } = await make();
  expect((await engine.call('PATCH', `${path}/${id}`, { name: 'Renamed', subject_line: 'Partenariat Client 1 - {COMPANY}' })).body).toMatchObject({ name: 'Renamed', version: 1 });
  expect((await engine.call('PATCH', `${path}/${id}`, { html_content: `<b>{FNAME}</b>${end}`, plain_text_content: null })).body).toMatchObject({ version: 2, plain_text_content: null });
  expect((await engine.call('GET', `${path}/${id}?version=1`)).body).toMatchObject({ version: 1, html_content: `<p>Bonjour {FNAME}</p>${end}`, plain_text_content: 'Bonjour {FNAME} {UNSUBSCRIBE_URL}' });
  const { items } = (await engine.call('GET', `${path}/${id}/versions`)).body;
  expect(items.map((item: any) => [item.version, item.created_by.slice(0, 9)])).toEqual([[2, 'operator:'], [1, 'operator:']]);
  expect((await engine.call('GET', `${path}/${id}?version=3`)).status).toBe(404);
  expect(await audit(id)).toEqual([{ action: 'template.created', version: '1' }, { action: 'template.changed', version: '1' }, { action: 'template.changed', version: '2' }]);
  await expect(database.pool.query("update email_template_versions set html_content = 'x' where template_id = $1", [id])).rejects.toThrow('append-only');
});

test('twenty changes at once make twenty versions, none lost', async () => {
  const { id } = await make();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => engine.call('PATCH', `${path}/${id}`, { subject_line: `Subject ${index}` })));
  expect(answers.map(({ status, body: changed }) => [status, changed.version]).toSorted((a, b) => a[1] - b[1])).toEqual(Array.from({ length: 20 }, (_, index) => [200, index + 2]));
});

test('faults are refused all at once, by field, with line and column', async () => {
  const bad = { subject_line: 'Hi {NAME}', html_content: '<p>\n{FOO} <a href="javascript:alert(1)">x</a></p>', plain_text_content: 'x {UNSUBSCRIBE_URL}' };
  for (const answer of [await engine.call('POST', path, body(bad)), await engine.call('PATCH', `${path}/${(await make()).id}`, bad)]) {
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map(({ field, reason, message }: any) => [field, reason, message.split(':')[0]])).toEqual([
      ['subject_line', 'unknown_variable', 'line 1, column 4'],
      ['html_content', 'no_unsubscribe', 'line 1, column 1'],
      ['html_content', 'unknown_variable', 'line 2, column 1'],
      ['html_content', 'unsafe_link', 'line 2, column 16'],
    ]);
  }
});

test('a field that any list has is a variable; a template is not stuck when the field goes', async () => {
  const html_content = `{SEAT}${end}`;
  expect((await engine.call('POST', path, body({ html_content }))).status).toBe(422);
  const name = (fields: string[]) => engine.call('PUT', '/api/v1/mailwizz-instances/client-1/lists', { lists: [{ list_id: 12, list_uid: 'ab123cdefg45f', name: 'Avocats', fields }] });
  await name(['SEAT']);
  const { id } = await make({ html_content });
  await name(['EMAIL']);
  expect((await engine.call('PATCH', `${path}/${id}`, { is_active: false })).body).toMatchObject({ is_active: false, version: 1 });
  expect((await engine.call('PATCH', `${path}/${id}`, { subject_line: 'new' })).status).toBe(422);
});

test.each([
  ['a source that is none', { source_id: 'nobody' }, 'source_id'],
  ['more than 1 MB of HTML', { html_content: `é${'x'.repeat(1_048_575)}` }, 'html_content'],
  ['more than 256 KB of text', { plain_text_content: 'x'.repeat(262_145) }, 'plain_text_content'],
  ['a subject of 256 characters', { subject_line: 'x'.repeat(256) }, 'subject_line'],
  ['a NUL', { html_content: `\u0000${end}` }, 'html_content'],
  ['an unknown key', { html: 'x' }, 'html'],
])('%s is refused by field', async (_, changes, field) => {
  const answer = await engine.call('POST', path, body(changes));
  expect([answer.status, answer.body.errors?.[0].field]).toEqual([422, field]);
});

test('a megabyte of HTML is taken whole, and more than the body may hold is 413', async () => {
  const html_content = `${'é'.repeat(524_000)}${end}`;
  const { id } = await make({ html_content });
  expect((await engine.call('GET', `${path}/${id}`)).body.html_content).toBe(html_content);
  expect((await engine.call('POST', path, body({ html_content: 'x'.repeat(4 << 20) }))).status).toBe(413);
});

test('one that a campaign or a variant refers to becomes inactive, any other is gone', async () => {
  const [free, used, tested] = [await make(), await make(), await make()];
  await bind(used.id);
  await database.pool.query("insert into campaign_variants (campaign_id, key, email_template_id) values ($1, 'b', $2)", [await bind(used.id), tested.id]);
  expect((await engine.call('DELETE', `${path}/${free.id}`)).body).toEqual({ id: free.id, outcome: 'deleted' });
  expect((await engine.call('GET', `${path}/${free.id}`)).status).toBe(404);
  expect((await engine.call('DELETE', `${path}/${free.id}`)).status).toBe(404);
  for (const { id } of [used, tested]) {
    expect((await engine.call('DELETE', `${path}/${id}`)).body).toEqual({ id, outcome: 'deactivated' });
    expect((await engine.call('GET', `${path}/${id}`)).body).toMatchObject({ is_active: false, version: 1 });
  }
  expect((await audit(free.id)).at(-1)).toMatchObject({ action: 'template.deleted' });
  expect((await audit(used.id)).at(-1)).toMatchObject({ action: 'template.deactivated' });
});

test('the best match is proposed first, with its reason; what contradicts a wish is not', async () => {
  const category = 'plombier';
  const forBoth = await make({ category, name: 'both' });
  const forCategory = await make({ category, source_id: null, name: 'category' });
  const forSource = await make({ category: null, name: 'source' });
  const forNobody = await make({ category: null, source_id: null, name: 'any' });
  const used = await make({ category: null, source_id: null, name: 'used' });
  await database.pool.query('update email_templates set times_used = 5 where id = $1', [used.id]);
  const elsewhere = [await make({ category, source_id: 'other-source' }), await make({ category: 'serrurier' }), await make({ category, language: 'en' }), await make({ category })];
  await engine.call('PATCH', `${path}/${elsewhere.at(-1).id}`, { is_active: false });

  const { items } = (await engine.call('GET', `${path}/propose?source_id=${source}&category=${category}&language=fr`)).body;
  expect(items.map((item: any) => item.id)).toEqual([forBoth.id, forSource.id, forCategory.id, used.id, forNobody.id]);
  expect(items[0].reason).toBe(`made for source ${source}; made for category ${category}; in fr; used 0 times`);
  expect(items[2].reason).toBe(`for any source; made for category ${category}; in fr; used 0 times`);
  const open = (await engine.call('GET', `${path}/propose?category=${category}`)).body.items;
  expect(open[0]).toMatchObject({ id: forCategory.id });
  expect(open.find((item: any) => item.id === forBoth.id).reason).toContain(`for source ${source}, which was not asked for`);
  expect((await engine.call('GET', `${path}/propose?language=th`)).body.items).toEqual([]);
});

test('a preview shows a contact, a made-up reader or given values, any version, and names what is missing', async () => {
  const { rows } = await database.pool.query("insert into contacts (email, email_hash, first_name) values ('a@x.example', 'h1', '<i>Ana</i>'), ('b@x.example', 'h2', 'Bo') returning id");
  await database.pool.query('update contacts set deleted_at = now() where id = $1', [rows[1].id]);
  const { id } = await make();
  await engine.call('PATCH', `${path}/${id}`, { plain_text_content: null });
  const preview = (asked: object) => engine.call('POST', `${path}/${id}/preview`, asked);
  expect((await preview({ contact_id: rows[0].id, version: 1 })).body).toEqual({
    template_id: id,
    version: 1,
    subject: 'Partenariat Client 1 - ',
    html: '<p>Bonjour &lt;i&gt;Ana&lt;/i&gt;</p><a href="https://example.com/unsubscribe">stop</a>',
    text: 'Bonjour <i>Ana</i> https://example.com/unsubscribe',
    missing: ['COMPANY'],
  });
  expect((await preview({})).body).toMatchObject({ version: 2, subject: 'Partenariat Client 1 - Cabinet Dupont', text: null, missing: [] });
  expect((await preview({ sample: { COMPANY: 'Étude X', FNAME: '' } })).body).toMatchObject({ subject: 'Partenariat Client 1 - Étude X', missing: ['FNAME'] });
  expect((await preview({ contact_id: rows[1].id })).status).toBe(404);
  expect((await preview({ contact_id: 999_999 })).status).toBe(404);
  expect((await preview({ version: 9 })).status).toBe(404);
  expect((await preview({ sample: { lower: 'x' } })).status).toBe(422);
});

test('the preview page runs nothing and opens for operators only', async () => {
  const { id } = await make({ html_content: `<script>alert(1)</script><p onclick="x()">{FNAME}</p>${end}` });
  const answer = await engine.call('GET', `${path}/${id}/preview.html?version=1`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(answer.body).toContain('<p onclick="x()">Jean</p>');
  const policy = answer.headers.get('content-security-policy')!.split('; ');
  expect(policy).toEqual(expect.arrayContaining(['sandbox', "default-src 'none'", "form-action 'none'", "frame-ancestors 'self'"]));
  expect(policy.some((rule) => rule.startsWith('script-src') || rule.includes('allow-'))).toBe(false);
  expect([answer.headers.get('x-content-type-options'), answer.headers.get('cache-control'), answer.headers.get('referrer-policy')]).toEqual(['nosniff', 'no-store', 'no-referrer']);

  const { key } = (await engine.call('POST', `/api/v1/data-sources/${source}/keys`, { name: 'k' })).body;
  for (const route of [path, `${path}/${id}`, `${path}/${id}/preview.html`, `${path}/propose`]) expect((await engine.call('GET', route, undefined, { authorization: `Bearer ${key}` })).status).toBe(403);
  expect((await fetch(`${engine.url}${path}/${id}/preview.html`)).status).toBe(401);
});

test('every template route is in the document', async () => {
  const document = (await (await fetch(`${engine.url}/openapi.json`)).json()) as { paths: Record<string, Record<string, object>> };
  const routes = Object.entries(document.paths).filter(([route]) => route.startsWith(path)).flatMap(([route, methods]) => Object.keys(methods).map((method) => `${method} ${route.slice(path.length)}`));
  expect(routes.toSorted()).toEqual(['delete /{template_id}', 'get ', 'get /propose', 'get /{template_id}', 'get /{template_id}/preview.html', 'get /{template_id}/versions', 'patch /{template_id}', 'post ', 'post /{template_id}/preview']);
});
