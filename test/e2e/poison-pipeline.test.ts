import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine } from '../support/engine';
import { fragments } from '../support/poison';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;
const source = 'scraper-google-001';
const mailwizz = sandboxInfo().instances.map(controlOf);

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url);
  for (const control of mailwizz) {
    await control.heal();
    await control.empty();
  }
  await seed(engine, [source]);
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

const fields = ['first_name', 'last_name', 'company', 'phone', 'website', 'country_code', 'language', 'category', 'tags', 'raw_data', 'social_links', 'unknown_field'];
const isText = (fragment: string) => fragment.startsWith('"');

/** Each piece of poison in each field of a contact, in the address, as a key, and as the whole row; between them contacts that are good. */
function makeRows(prefix: string): { rows: string[]; good: { email: string }[] } {
  let count = 0;
  const row = (field: string, value: string) => `{"email":"${prefix}${(count += 1)}@site-${count % 50}.example","category":"avocat","${field}":${value}}`;
  const poisoned = fragments.flatMap((fragment) => [
    fragment,
    `{"email":${fragment},"category":"avocat"}`,
    ...(isText(fragment) ? [`{"email":"x${fragment.slice(1, -1)}@site-1.example"}`, `{"email":"x@${fragment.slice(1, -1)}.example"}`, row('raw_data', `{${fragment}:1}`), row('social_links', `{${fragment}:"x"}`)] : []),
    ...fields.map((field) => row(field, fragment)),
    row('tags', `[${fragment}]`),
    row('raw_data', `{"inner":[${fragment}]}`),
    row('social_links', `{"linkedin":${fragment}}`),
  ]);
  const good = makeContacts(Math.ceil(poisoned.length / 20), `${prefix}good-`);
  return { rows: poisoned.flatMap((text, index) => (index % 20 === 0 ? [JSON.stringify(good[index / 20]), text] : [text])), good };
}

type Row = { row: number; outcome: string; reason: string | null; field: string | null; contact_id: number | null; fate: string | null; fate_reason: string | null };
async function rowsOf(batchId: string): Promise<Row[]> {
  const all: Row[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const { body } = await engine.call('GET', `/api/v1/batches/${batchId}/rows?limit=1000&after=${after}`);
    all.push(...body.items);
    after = body.next;
  }
  return all;
}

async function expectNothingLost(batchId: string, { rows, good }: ReturnType<typeof makeRows>): Promise<Row[]> {
  const batch = await settled(engine, batchId, 300_000);
  expect(batch).toMatchObject({ state: 'completed', received: rows.length, waiting: 0 });
  expect(batch.received).toBe(batch.accepted + batch.duplicates + batch.rejected);
  const judged = await rowsOf(batchId);
  expect(judged.map((row) => row.row)).toEqual(rows.map((_, index) => index + 1));
  expect(judged.filter((row) => row.outcome === 'rejected' && !/^[a-z0-9_]+$/.test(row.reason ?? ''))).toEqual([]);
  // MailWizz holds less of a website than we do, and nothing is ever cut without a word.
  expect(judged.filter((row) => row.fate === 'failed' && row.fate_reason !== 'value_too_long')).toEqual([]);
  const there = new Set((await mailwizz[0]!.subscribers(12)).map(({ email }) => email));
  expect(good.filter(({ email }) => !there.has(email))).toEqual([]);
  return judged;
}

test('every piece of poison in every field of a JSON delivery is kept as it was or rejected with a reason, and no neighbour is lost', async () => {
  const delivery = makeRows('json-');
  expect(delivery.rows.length).toBeGreaterThan(2_000);
  const answer = await engine.call('POST', '/api/v1/contacts/ingest', `{"source_id":"${source}","contacts":[${delivery.rows.join(',')}]}`);
  expect([answer.status, answer.body.detail]).toEqual([202, undefined]);
  const judged = await expectNothingLost(answer.body.batch_id, delivery);

  const stored = new Map((await database.pool.query<Record<string, any>>('select id, first_name, last_name, company, website, phone, language, category, tags from contacts')).rows.map((contact) => [contact['id'] as number, contact]));
  for (const { row, outcome, contact_id } of judged) {
    if (outcome !== 'accepted') continue;
    const delivered = JSON.parse(delivery.rows[row - 1]!) as Record<string, any>;
    const contact = stored.get(contact_id!)!;
    for (const field of ['first_name', 'last_name', 'company', 'website', 'phone', 'language']) expect([row, field, contact[field]]).toEqual([row, field, delivered[field]?.trim() || null]);
    if (delivered['tags']) expect([row, contact['tags']]).toEqual([row, delivered['tags'].map((tag: string) => tag.trim()).filter((tag: string, index: number, all: string[]) => tag !== '' && all.indexOf(tag) === index)]);
  }
}, 600_000);

test('the same as lines, with bytes that are no text between them: a row each, and no neighbour is lost', async () => {
  const { rows, good } = makeRows('line-');
  const bytes = ['\xff\xfe', '{"email":"\xe9@site-1.example"}', '\x80', '{"email":"a@b.example"}\x00', '\x00'].map((text) => Buffer.from(text, 'latin1'));
  // Blank rows are no rows, and a fragment that holds a line end cannot be one line.
  const lines = [...rows.filter((row) => row.trim() !== '' && !row.includes('\n')).map((row) => Buffer.from(row)), ...bytes];
  const answer = await fetch(`${engine.url}/api/v1/contacts/ingest?source_id=${source}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${(await engine.call('POST', `/api/v1/data-sources/${source}/keys`, {})).body.key}`, 'content-type': 'application/x-ndjson' },
    body: new Uint8Array(Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))),
  });
  expect(answer.status).toBe(202);
  const { batch_id } = (await answer.json()) as { batch_id: string };
  const judged = await expectNothingLost(batch_id, { rows: lines.map(String), good });
  expect(judged.slice(-5).map((row) => row.reason)).toEqual(['not_utf8', 'not_utf8', 'not_utf8', 'not_json', 'not_json']);
}, 600_000);
