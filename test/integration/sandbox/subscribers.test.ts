import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { openMailwizz } from './mailwizz';

let mailwizz: Awaited<ReturnType<typeof openMailwizz>>;
let pool: Pool;
let uid: string;
let listId: number;
let subscribers: string;
beforeAll(async () => {
  mailwizz = await openMailwizz(82);
  pool = mysql.createPool({ uri: mailwizz.instance.mysql_url, dateStrings: true });
  ({ list_uid: uid, list_id: listId } = mailwizz.instance.lists[0]!);
  subscribers = `/lists/${uid}/subscribers`;
});
afterAll(async () => {
  await pool?.end();
  await mailwizz?.stop();
});
beforeEach(async () => {
  await mailwizz.control('DELETE', '/subscribers');
  await mailwizz.control('DELETE', '/blacklist');
});
afterEach(async () => {
  await mailwizz.control('DELETE', '/switches');
  await setList({ opt_in: 'single', subscriber_require_approval: 'no' });
});

const api: typeof mailwizz.api = (...request) => mailwizz.api(...request);
const create = (fields: Record<string, string>) => api('POST', subscribers, fields);
const bulk = (rows: Record<string, string>[]) =>
  api('POST', `${subscribers}/bulk`, Object.fromEntries(rows.flatMap((row, index) => Object.entries(row).map(([name, value]) => [`subscribers[${index}]${name.replace(/^[^[]+/, '[$&]')}`, value]))));
const uidOf = async (email: string) => (await api('GET', `${subscribers}/search-by-email?EMAIL=${encodeURIComponent(email)}`)).body.data.subscriber_uid as string;
const truth = async () => (await mailwizz.control('GET', `/truth/subscribers?list_id=${listId}&fields=1`)) as { email: string; status: string; source: string; fields: Record<string, string> }[];
const setList = async (columns: object) => pool.query('UPDATE mw_list SET ? WHERE list_id = ?', [columns, listId]);
const dateShape = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
const uidShape = expect.stringMatching(/^[a-z]{2}[0-9]{3}[a-z0-9]{5}[0-9a-f]{3}$/);

describe('create', () => {
  test('answers the record with the odd date, and stores one value per field', async () => {
    const { code, body } = await create({ EMAIL: ' Jo@Example.test ', FNAME: 'Jo', 'details[status]': 'confirmed', 'details[source]': 'import', 'details[ip_address]': '192.0.2.7' });
    expect(code).toBe(201);
    expect(body).toEqual({
      status: 'success',
      data: { record: { subscriber_uid: uidShape, email: 'Jo@Example.test', ip_address: '192.0.2.7', source: 'import', date_added: { expression: 'NOW()', params: [] } } },
    });
    const [values] = await pool.query<RowDataPacket[]>('SELECT f.tag, v.value FROM mw_list_field_value v JOIN mw_list_field f USING (field_id) ORDER BY f.sort_order');
    expect(values).toHaveLength(15);
    expect(values.slice(0, 3)).toEqual([{ tag: 'EMAIL', value: 'Jo@Example.test' }, { tag: 'FNAME', value: 'Jo' }, { tag: 'LNAME', value: '' }]);
  });

  test.each([['empty_object', { expression: 'NOW()', params: {} }], ['string', dateShape]])('the date of the answer may come as %s, the code as 200', async (created_date, date) => {
    await mailwizz.switches({ created_date, create_code: 200 });
    const { code, body } = await create({ EMAIL: 'a@example.test' });
    expect([code, body.data.record.date_added]).toEqual([200, date]);
  });

  test.each([
    [{}, 'Please provide the subscriber email address.'],
    [{ EMAIL: 'nobody' }, 'Please provide a valid email address.'],
    [{ EMAIL: `${'x'.repeat(95)}@example.test` }, 'Please provide a valid email address.'],
    [{ EMAIL: 'a@example.test', FNAME: 'x'.repeat(256) }, 'Value is too long (maximum is 255 characters).'],
  ])('refuses %j', async (fields, error) => {
    expect(await create(fields)).toEqual({ code: 422, body: { status: 'error', error } });
    await mailwizz.switches({ validation_code: 400 });
    expect((await create(fields)).code).toBe(400);
    expect(await truth()).toEqual([]);
  });

  test('a required field is asked for by its label', async () => {
    await pool.query("UPDATE mw_list_field SET required = 'yes', label = 'First name' WHERE list_id = ? AND tag = 'FNAME'", [listId]);
    await touchFields();
    const refused = await create({ EMAIL: 'a@example.test' });
    await pool.query("UPDATE mw_list_field SET required = 'no', label = 'FNAME' WHERE list_id = ? AND tag = 'FNAME'", [listId]);
    await touchFields();
    expect(refused.body.error).toBe('The field First name is required by the list but it has not been provided!');
  });

  test('a value beyond 255 characters may be cut as MySQL does, by characters', async () => {
    await mailwizz.switches({ long_value: 'cut' });
    await create({ EMAIL: 'a@example.test', FNAME: '😀'.repeat(300) });
    expect((await truth())[0]!.fields['FNAME']).toBe('😀'.repeat(255));
  });

  test('an address that is there is 409, whatever its case, accents or status', async () => {
    await create({ EMAIL: 'jose@example.test', 'details[status]': 'unsubscribed' });
    for (const EMAIL of ['jose@example.test', 'JOSE@example.test', 'josé@example.test'])
      expect(await create({ EMAIL })).toEqual({ code: 409, body: { status: 'error', error: 'The subscriber already exists in this list.' } });
    await mailwizz.switches({ exists_code: 422, texts: 'tr' });
    expect(await create({ EMAIL: 'jose@example.test' })).toEqual({ code: 422, body: { status: 'error', error: 'Abone zaten bu listede mevcut.' } });
  });

  test('an unsubscribed or moved row may be taken again in silence, others not', async () => {
    await mailwizz.switches({ silent_reuse: true });
    await bulk([{ EMAIL: 'u@example.test', 'details[status]': 'unsubscribed' }, { EMAIL: 'm@example.test', 'details[status]': 'moved' }, { EMAIL: 'c@example.test' }]);
    const before = await uidOf('u@example.test');
    expect((await create({ EMAIL: 'u@example.test', FNAME: 'again' })).body.data.record.subscriber_uid).toBe(before);
    expect([(await create({ EMAIL: 'm@example.test' })).code, (await create({ EMAIL: 'c@example.test' })).code]).toEqual([201, 409]);
    expect((await truth()).map(({ email, status, fields }) => [email, status, fields['FNAME']])).toEqual([['u@example.test', 'confirmed', 'again'], ['m@example.test', 'confirmed', ''], ['c@example.test', 'confirmed', '']]);
  });

  test.each(['global', 'customer'])('the %s blacklist refuses with the same 409', async (scope) => {
    await mailwizz.control('POST', '/blacklist', { email: 'Black@example.test', scope });
    expect(await create({ EMAIL: 'black@example.test' })).toEqual({ code: 409, body: { status: 'error', error: 'This email address is blacklisted.' } });
    expect((await bulk([{ EMAIL: 'black@example.test' }])).body.data.records[0].errors).toEqual({ EMAIL: 'This email address is blacklisted.' });
  });

  test.each([
    [{ opt_in: 'single' }, {}, 'confirmed', 0],
    [{ opt_in: 'double' }, {}, 'unconfirmed', 1],
    [{ opt_in: 'double' }, { 'details[status]': 'confirmed' }, 'confirmed', 0],
    [{ subscriber_require_approval: 'yes' }, {}, 'unapproved', 0],
    [{ subscriber_require_approval: 'yes' }, { 'details[status]': 'disabled' }, 'disabled', 0],
  ])('a list with %j and %j gives %s and %i mails', async (columns, details, status, mails) => {
    await setList(columns);
    await create({ EMAIL: 'a@example.test', ...details });
    expect((await truth())[0]!.status).toBe(status);
    const of = await uidOf('a@example.test');
    const sent = (await mailwizz.control('GET', '/truth/mails')) as { subscriber_uid: string }[];
    expect(sent.filter(({ subscriber_uid }) => subscriber_uid === of)).toHaveLength(mails);
  });

  test('concurrent creates of one address: one row with the mutex, several without', async () => {
    const race = async (EMAIL: string) => (await Promise.all(Array.from({ length: 5 }, () => create({ EMAIL })))).map(({ code }) => code).sort();
    // More than once: the first finds the connections to the database still closed.
    for (const EMAIL of ['r1@example.test', 'r2@example.test', 'r3@example.test', 'r4@example.test']) expect(await race(EMAIL)).toEqual([201, 409, 409, 409, 409]);
    await mailwizz.control('DELETE', '/subscribers');
    await mailwizz.switches({ mutex: false });
    const stored = (await race('race@example.test')).filter((code) => code === 201).length;
    expect(stored).toBeGreaterThan(1);
    const { lists } = await mailwizz.control('GET', '/truth');
    expect(lists[0]).toMatchObject({ subscribers: stored, distinct_emails: 1, duplicates: stored - 1 });
  });

  test('a plan that is used up says so', async () => {
    await create({ EMAIL: 'a@example.test' });
    await mailwizz.switches({ max_subscribers_per_list: 1 });
    expect(await create({ EMAIL: 'b@example.test' })).toEqual({ code: 403, body: { status: 'error', error: 'The maximum number of allowed subscribers for this list has been reached.' } });
    await mailwizz.switches({ max_subscribers_per_list: 0, max_subscribers: 1 });
    expect((await bulk([{ EMAIL: 'b@example.test' }])).body.error).toBe('The maximum number of allowed subscribers has been reached.');
  });
});

/** A write through the API makes the instance read its fields anew. */
const touchFields = async () => {
  const [rows] = await pool.query<RowDataPacket[]>("SELECT field_id, label FROM mw_list_field WHERE list_id = ? AND tag = 'LNAME'", [listId]);
  await api('PUT', `/lists/${uid}/fields/${rows[0]!['field_id']}`, { label: String(rows[0]!['label']), tag: 'LNAME' });
};

describe('bulk', () => {
  test('is a success whatever fails; what failed has errors', async () => {
    await create({ EMAIL: 'there@example.test' });
    const { code, body } = await bulk([{ EMAIL: 'a@example.test', FNAME: 'A', 'details[status]': 'unconfirmed' }, { EMAIL: 'bad' }, { EMAIL: 'there@example.test' }, { EMAIL: 'A@example.test' }]);
    expect(code).toBe(200);
    expect(body).toEqual({
      status: 'success',
      data: {
        records: [
          { data: { subscriber_uid: uidShape, EMAIL: 'a@example.test', FNAME: 'A', status: 'unconfirmed', source: 'api', ip_address: '', date_added: dateShape } },
          { data: { EMAIL: 'bad' }, errors: { EMAIL: 'Please provide a valid email address.' } },
          { data: { EMAIL: 'there@example.test' }, errors: { EMAIL: 'The subscriber already exists in this list.' } },
          { data: { EMAIL: 'A@example.test' }, errors: { EMAIL: 'The subscriber already exists in this list.' } },
        ],
      },
    });
    expect((await truth()).map(({ email }) => email)).toEqual(['there@example.test', 'a@example.test']);
  });

  test('code, order, size and what an existing address does can be switched', async () => {
    await mailwizz.switches({ bulk_code: 201, bulk_order: 'reversed', bulk_existing: 'update', bulk_max_rows: 2 });
    await create({ EMAIL: 'there@example.test', FNAME: 'old', LNAME: 'kept', 'details[status]': 'unsubscribed' });
    const { code, body } = await bulk([{ EMAIL: 'there@example.test', FNAME: 'new' }, { EMAIL: 'b@example.test' }]);
    expect([code, body.data.records.map((record: any) => [record.data.EMAIL, record.data.status, record.errors])]).toEqual([201, [['b@example.test', 'confirmed', undefined], ['there@example.test', 'unsubscribed', undefined]]]);
    expect((await truth())[0]).toMatchObject({ status: 'unsubscribed', fields: { FNAME: 'new', LNAME: 'kept' } });
    expect((await bulk([{ EMAIL: 'c@example.test' }, { EMAIL: 'd@example.test' }, { EMAIL: 'e@example.test' }])).code).toBe(422);
  });

  test('without rows it asks for the payload', async () => {
    expect(await api('POST', `${subscribers}/bulk`, {})).toEqual({ code: 422, body: { status: 'error', error: 'Please provide the subscribers payload.' } });
  });
});

test.each([1, 20])('awkward values are stored as they came, %i rows at once', async (count) => {
  const values = ["O'Brien \\", 'tab\there', 'line\nbreak\r\n', '\\N', '\\t\\n', 'nul\0byte', '"quoted", \'twice\'', '😀é\u0301', ' spaces ', '%_', 'NULL', '0', '; DROP TABLE mw_list; --', '{{x}}', '=1+1'];
  const rows = Array.from({ length: count }, (_, index) => ({ EMAIL: `v${index}@example.test`, FNAME: values[index % values.length] ?? '', LNAME: values.join('') }));
  expect((await bulk(rows)).body.data.records.filter(({ errors }: any) => errors)).toEqual([]);
  expect((await truth()).map(({ email, fields }) => ({ EMAIL: email, FNAME: fields['FNAME'], LNAME: fields['LNAME'] }))).toEqual(rows);
});

describe('reading', () => {
  test('rows carry every tag as a key, newest first, and can be filtered by status', async () => {
    await bulk([{ EMAIL: 'a@example.test', FNAME: 'A' }, { EMAIL: 'b@example.test', 'details[status]': 'unsubscribed' }]);
    const { body } = await api('GET', subscribers);
    expect(body.data).toMatchObject({ count: '2', total_pages: 1, records: [{ EMAIL: 'b@example.test' }, { EMAIL: 'a@example.test' }] });
    expect(Object.keys(body.data.records[1])).toEqual([
      'subscriber_uid', 'EMAIL', 'FNAME', 'LNAME', 'COMPANY', 'PHONE', 'WEBSITE', 'SOURCE', 'CATEGORY', 'TAGS', 'TAGSET', 'COUNTRY', 'LANGUAGE', 'BUCKET', 'SOURCES', 'SCORE', 'status', 'source', 'ip_address', 'date_added',
    ]);
    expect((await api('GET', `${subscribers}?status=unsubscribed`)).body.data).toMatchObject({ count: '1', records: [{ EMAIL: 'b@example.test', FNAME: '', ip_address: '' }] });
  });

  test('one subscriber comes below data.record', async () => {
    await create({ EMAIL: 'a@example.test', FNAME: 'A' });
    const one = await api('GET', `${subscribers}/${await uidOf('a@example.test')}`);
    expect(one.body.data.record).toMatchObject({ EMAIL: 'a@example.test', FNAME: 'A', status: 'confirmed', source: 'api', date_added: dateShape });
    expect(await api('GET', `${subscribers}/ab123cdefg45f`)).toEqual({ code: 404, body: { status: 'error', error: 'The subscriber does not exist in this list.' } });
    expect((await api('GET', '/lists/ab123cdefg45f/subscribers')).body.error).toBe('The subscribers list does not exist.');
  });

  test('search by email: flat data, upper-case parameter, 404 when absent', async () => {
    await create({ EMAIL: 'a@example.test' });
    expect((await api('GET', `${subscribers}/search-by-email?EMAIL=a%40example.test`)).body).toEqual({ status: 'success', data: { subscriber_uid: uidShape, status: 'confirmed', date_added: dateShape } });
    expect((await api('GET', `${subscribers}/search-by-email?EMAIL=b%40example.test`)).code).toBe(404);
    expect((await api('GET', `${subscribers}/search-by-email?email=a%40example.test`)).body.error).toBe('Please provide the subscriber email address.');
    await mailwizz.switches({ search_lower_case: true });
    expect((await api('GET', `${subscribers}/search-by-email?email=a%40example.test`)).code).toBe(200);
  });

  test('search in all lists: integer count, lower-case email, the list beside it', async () => {
    await create({ EMAIL: 'a@example.test' });
    await api('POST', `/lists/${mailwizz.instance.lists[1]!.list_uid}/subscribers`, { EMAIL: 'a@example.test' });
    const { data } = (await api('GET', '/lists/subscribers/search-by-email-in-all-lists?EMAIL=a%40example.test')).body;
    expect(data).toMatchObject({ count: 2, current_page: 1, next_page: null, records: [{ email: 'a@example.test', list: { list_uid: uid, name: 'List 1', display_name: 'List 1' } }, {}] });
  });

  test('search by custom fields: tags in the query or below custom_fields, answered as a page or flat', async () => {
    await bulk([{ EMAIL: 'a@example.test', FNAME: 'A', LNAME: 'X' }, { EMAIL: 'b@example.test', FNAME: 'A', LNAME: 'Y' }]);
    const found = async (query: string) => (await api('GET', `${subscribers}/search-by-custom-fields?${query}`)).body.data;
    expect(await found('FNAME=A&per_page=1')).toMatchObject({ count: '2', next_page: 2 });
    expect(await found('FNAME=A&LNAME=X')).toMatchObject({ count: '1', records: [{ EMAIL: 'a@example.test' }] });
    expect(await found('custom_fields[LNAME]=Y')).toMatchObject({ count: '1', records: [{ EMAIL: 'b@example.test' }] });
    await mailwizz.switches({ custom_search_answer: 'flat' });
    expect(await found('LNAME=Y')).toMatchObject({ EMAIL: 'b@example.test', LNAME: 'Y', status: 'confirmed' });
    expect((await api('GET', `${subscribers}/search-by-custom-fields?LNAME=Z`)).code).toBe(404);
  });
});

describe('changing', () => {
  test('an update changes what is given and nothing else', async () => {
    await create({ EMAIL: 'a@example.test', FNAME: 'A', LNAME: 'L' });
    const path = `${subscribers}/${await uidOf('a@example.test')}`;
    const { code, body } = await api('PUT', path, { EMAIL: 'b@example.test', FNAME: 'B', LNAME: '', 'details[status]': 'disabled' });
    expect([code, body.data.record]).toEqual([200, { subscriber_uid: uidShape, email: 'b@example.test', ip_address: '', source: 'api', date_added: dateShape }]);
    expect(await truth()).toMatchObject([{ email: 'b@example.test', status: 'disabled', fields: { EMAIL: 'b@example.test', FNAME: 'B', LNAME: 'L' } }]);
    await mailwizz.switches({ status_on_update: false, update_needs_email: true });
    expect((await api('PUT', path, { FNAME: 'C' })).body.error).toBe('Please provide the subscriber email address.');
    await api('PUT', path, { EMAIL: 'b@example.test', 'details[status]': 'confirmed' });
    expect((await truth())[0]!.status).toBe('disabled');
  });

  test('an update gives a subscriber without values its value rows', async () => {
    await pool.query("INSERT INTO mw_list_subscriber (subscriber_uid, list_id, email, date_added, last_updated) VALUES ('ab123cdefg45f', ?, 'sql@example.test', NOW(), NOW())", [listId]);
    await api('PUT', `${subscribers}/ab123cdefg45f`, { EMAIL: 'sql@example.test', FNAME: 'A' });
    expect((await truth())[0]!.fields).toEqual({ EMAIL: 'sql@example.test', FNAME: 'A' });
  });

  test('an update to an address that another has is refused', async () => {
    await bulk([{ EMAIL: 'a@example.test' }, { EMAIL: 'b@example.test' }]);
    expect(await api('PUT', `${subscribers}/${await uidOf('a@example.test')}`, { EMAIL: 'B@example.test' })).toEqual({ code: 409, body: { status: 'error', error: 'Another subscriber with this email address already exists in this list.' } });
  });

  test('unsubscribe, everywhere and in one list, and delete are silent', async () => {
    const other = mailwizz.instance.lists[1]!;
    await bulk([{ EMAIL: 'a@example.test' }, { EMAIL: 'b@example.test' }]);
    await api('POST', `/lists/${other.list_uid}/subscribers`, { EMAIL: 'a@example.test' });
    expect(await api('PUT', `${subscribers}/${await uidOf('b@example.test')}/unsubscribe`)).toEqual({ code: 200, body: { status: 'success' } });
    expect((await truth()).map(({ status }) => status)).toEqual(['confirmed', 'unsubscribed']);
    expect(await api('PUT', '/lists/subscribers/unsubscribe-by-email-from-all-lists', { EMAIL: 'a@example.test' })).toEqual({ code: 200, body: { status: 'success' } });
    expect(await mailwizz.control('GET', `/truth/subscribers?list_id=${other.list_id}`)).toMatchObject([{ status: 'unsubscribed' }]);
    expect(await api('DELETE', `${subscribers}/${await uidOf('a@example.test')}`)).toEqual({ code: 200, body: { status: 'success' } });
    expect((await truth()).map(({ email }) => email)).toEqual(['b@example.test']);
    const [left] = await pool.query<RowDataPacket[]>('SELECT COUNT(DISTINCT subscriber_id) n FROM mw_list_field_value');
    expect(left[0]!['n']).toBe(2);
  });
});

test('dates are written by the clock of the application’s own connection', async () => {
  await mailwizz.switches({ database_offset_minutes: 120 });
  await create({ EMAIL: 'a@example.test' });
  const [rows] = await pool.query<RowDataPacket[]>('SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), DATE_ADD(date_added, INTERVAL 30 SECOND)) ahead FROM mw_list_subscriber');
  expect(rows[0]!['ahead']).toBe(120);
});

test('the truth comes in pages, with what every list holds', async () => {
  await bulk([{ EMAIL: 'a@example.test' }, { EMAIL: 'b@example.test', 'details[source]': 'web' }]);
  const [first] = await mailwizz.control('GET', `/truth/subscribers?list_id=${listId}&limit=1`);
  expect(await mailwizz.control('GET', `/truth/subscribers?list_id=${listId}&after=${first.subscriber_id}`)).toMatchObject([{ email: 'b@example.test' }]);
  const { lists } = await mailwizz.control('GET', '/truth');
  expect(lists[0]).toEqual({ list_id: listId, list_uid: uid, name: 'List 1', subscribers: 2, distinct_emails: 2, duplicates: 0, by_source: { api: 1, web: 1, import: 0 } });
});
