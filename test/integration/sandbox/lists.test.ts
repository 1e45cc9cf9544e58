import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { type Form, openMailwizz } from './mailwizz';

let mailwizz: Awaited<ReturnType<typeof openMailwizz>>;
let pool: Pool;
beforeAll(async () => {
  mailwizz = await openMailwizz(83);
  pool = mysql.createPool({ uri: mailwizz.instance.mysql_url, dateStrings: true });
});
afterAll(async () => {
  await pool?.end();
  await mailwizz?.stop();
});
afterEach(() => mailwizz.control('DELETE', '/switches'));

const api: typeof mailwizz.api = (...request) => mailwizz.api(...request);
const listForm: Form = {
  'general[name]': 'Readers', 'general[description]': 'All readers', 'defaults[from_name]': 'Ana', 'defaults[from_email]': 'ana@example.test', 'defaults[reply_to]': 'reply@example.test', 'defaults[subject]': 'Hello!',
};
const createList = async (changes: Form = {}) => (await api('POST', '/lists', { ...listForm, ...changes })).body.list_uid as string;
const uidShape = expect.stringMatching(/^[a-z]{2}[0-9]{3}[a-z0-9]{5}[0-9a-f]{3}$/);

describe('lists', () => {
  test('create answers the uid at top level, and writes every row a list has', async () => {
    const { code, body } = await api('POST', '/lists', {
      ...listForm, 'general[opt_in]': 'single', 'notifications[subscribe]': 'yes', 'notifications[subscribe_to]': 'boss@example.test', 'company[name]': 'Doe INC', 'company[country]': 'United States', 'company[zone]': 'New York',
      'company[address_1]': 'Street 1', 'company[city]': 'New York City', 'company[zip_code]': '10019',
    });
    expect([code, body]).toEqual([201, { status: 'success', list_uid: uidShape }]);
    expect((await api('GET', `/lists/${body.list_uid}`)).body.data.record).toEqual({
      general: { list_uid: body.list_uid, name: 'Readers', display_name: 'Readers', description: 'All readers' },
      defaults: { from_name: 'Ana', from_email: 'ana@example.test', reply_to: 'reply@example.test', subject: 'Hello!' },
      notifications: { subscribe: 'yes', unsubscribe: 'no', subscribe_to: 'boss@example.test', unsubscribe_to: '' },
      company: {
        name: 'Doe INC', address_1: 'Street 1', address_2: '', zone_name: 'New York', city: 'New York City', zip_code: '10019', phone: '', address_format: expect.stringContaining('[COMPANY_NAME]'),
        country: { country_id: expect.stringMatching(/^\d+$/), name: 'United States', code: 'US' }, zone: { zone_id: expect.stringMatching(/^\d+$/), name: 'New York', code: 'NY' },
      },
    });
    const tables = ['mw_list_default', 'mw_list_company', 'mw_list_customer_notification'];
    for (const table of tables) {
      const [rows] = await pool.query<RowDataPacket[]>(`SELECT 1 FROM ${table} JOIN mw_list USING (list_id) WHERE list_uid = ?`, [body.list_uid]);
      expect(rows).toHaveLength(1);
    }
    const fields = (await api('GET', `/lists/${body.list_uid}/fields`)).body.data.records;
    expect(fields.map(({ tag, label, required }: any) => [tag, label, required])).toEqual([['EMAIL', 'Email', 'yes'], ['FNAME', 'First name', 'no'], ['LNAME', 'Last name', 'no']]);
  });

  test('without opt_in a list is double, without a company it has the customer’s', async () => {
    const uid = await createList();
    const [rows] = await pool.query<RowDataPacket[]>('SELECT opt_in FROM mw_list WHERE list_uid = ?', [uid]);
    expect(rows[0]!['opt_in']).toBe('double');
    expect((await api('GET', `/lists/${uid}`)).body.data.record.company).toMatchObject({ name: 'Sandbox Ltd', country: { country_id: '1', name: 'Afghanistan', code: 'AF' } });
  });

  test('a page of lists leaves out from_email', async () => {
    const { records } = (await api('GET', '/lists')).body.data;
    expect(records[0].defaults).toEqual({ from_name: 'Sandbox', reply_to: 'reply@sandbox.test', subject: '' });
  });

  test('what is required is asked for, what is misspelt is named', async () => {
    expect(await api('POST', '/lists', {})).toMatchObject({ code: 422, body: { error: { name: 'Name cannot be blank.', description: 'Description cannot be blank.', from_name: 'From name cannot be blank.', reply_to: 'Reply to cannot be blank.' } } });
    const company = { 'company[name]': 'A', 'company[country]': 'Untied States', 'company[address_1]': 'S', 'company[city]': 'C', 'company[zip_code]': '1' };
    expect((await api('POST', '/lists', { ...listForm, ...company })).body.error).toEqual({ country: 'Unable to find the specified country, please double check the spelling!' });
    expect((await api('POST', '/lists', { ...listForm, ...company, 'company[country]': 'France', 'company[zone]': 'Nowhere' })).body.error).toEqual({ zone: 'Unable to find the specified zone, please double check the spelling!' });
  });

  test('update changes the list and answers the bare status', async () => {
    const uid = await createList();
    expect(await api('PUT', `/lists/${uid}`, { ...listForm, 'general[name]': 'Renamed' })).toEqual({ code: 200, body: { status: 'success' } });
    expect((await api('GET', `/lists/${uid}`)).body.data.record.general.name).toBe('Renamed');
  });

  test('a copy has settings, fields and segments but no subscribers', async () => {
    const uid = await createList({ 'general[name]': 'Copied #4' });
    const field = (await api('POST', `/lists/${uid}/fields`, { type: 'dropdown', label: 'Colour', tag: 'COLOUR', 'options[0][name]': 'Red', 'options[0][value]': 'r' })).body.data.record;
    await api('POST', `/lists/${uid}/segments`, { name: 'Reds', operator_match: 'all', 'conditions[0][field_id]': field.field_id, 'conditions[0][operator_id]': '1', 'conditions[0][value]': 'r' });
    await api('POST', `/lists/${uid}/subscribers`, { EMAIL: 'a@example.test', COLOUR: 'r' });
    const { code, body } = await api('POST', `/lists/${uid}/copy`);
    expect([code, body]).toEqual([200, { status: 'success', list_uid: uidShape }]);
    expect((await api('GET', `/lists/${body.list_uid}`)).body.data.record.general.name).toBe('Copied #5');
    expect((await api('GET', `/lists/${body.list_uid}/subscribers`)).body.data.count).toBe('0');
    const fields = (await api('GET', `/lists/${body.list_uid}/fields`)).body.data.records;
    expect(fields.map(({ tag }: any) => tag).sort()).toEqual(['COLOUR', 'EMAIL', 'FNAME', 'LNAME']);
    const [segment] = (await api('GET', `/lists/${body.list_uid}/segments`)).body.data.records;
    const { conditions } = (await api('GET', `/lists/${body.list_uid}/segments/${segment.segment_uid}`)).body.data.record;
    expect(conditions).toEqual([{ field_id: fields.find(({ tag }: any) => tag === 'COLOUR').field_id, operator_id: '1', value: 'r' }]);
  });

  test('a deleted list is gone with all that hangs on it', async () => {
    const uid = await createList();
    await api('POST', `/lists/${uid}/subscribers`, { EMAIL: 'gone@example.test' });
    expect(await api('DELETE', `/lists/${uid}`)).toEqual({ code: 200, body: { status: 'success' } });
    expect(await api('GET', `/lists/${uid}`)).toEqual({ code: 404, body: { status: 'error', error: 'The list does not exist.' } });
    expect((await api('GET', '/lists/subscribers/search-by-email-in-all-lists?EMAIL=gone%40example.test')).body.data.count).toBe(0);
  });
});

describe('fields', () => {
  let uid: string;
  beforeAll(async () => {
    uid = await createList();
  });

  test('there are 20 types', async () => {
    const { data } = (await api('GET', '/lists/fields/types')).body;
    expect([data.count, data.records.length, Object.keys(data).sort()]).toEqual(['20', 20, ['count', 'records']]);
    expect(data.records).toContainEqual({ name: 'Consent Checkbox', identifier: 'consentcheckbox', description: 'Consent Checkbox' });
  });

  test('reading shows eight keys, ids and order as text', async () => {
    const [email] = (await api('GET', `/lists/${uid}/fields`)).body.data.records;
    expect(email).toEqual({ field_id: expect.stringMatching(/^\d+$/), tag: 'EMAIL', label: 'Email', required: 'yes', help_text: null, visibility: 'visible', sort_order: '0', type: { name: 'Text', identifier: 'text', description: 'Text' } });
    expect((await api('GET', `/lists/${uid}/fields/${email.field_id}`)).body.data.record).toEqual(email);
  });

  test('create answers more than a read: list, options, default', async () => {
    const made = await api('POST', `/lists/${uid}/fields`, {
      type: 'dropdown', label: 'Colour', tag: 'colour', required: 'no', visibility: 'hidden', sort_order: '7', help_text: 'Help', default_value: 'r', description: 'Text', 'options[0][name]': 'Red', 'options[0][value]': 'r',
      'options[1][name]': 'Blue', 'options[1][value]': 'b',
    });
    expect(made).toEqual({
      code: 201,
      body: {
        status: 'success',
        data: {
          record: {
            field_id: expect.stringMatching(/^\d+$/), label: 'Colour', tag: 'COLOUR', help_text: 'Help', description: 'Text', default_value: 'r', required: 'no', visibility: 'hidden', sort_order: '7',
            type: { name: 'Dropdown', identifier: 'dropdown', description: 'Dropdown' }, list: { list_uid: uid, display_name: 'Readers' }, options: { r: 'Red', b: 'Blue' },
          },
        },
      },
    });
    const path = `/lists/${uid}/fields/${made.body.data.record.field_id}`;
    const changed = await api('PUT', path, { label: 'Color', tag: 'COLOR', 'options[0][name]': 'Green', 'options[0][value]': 'g' });
    expect(changed.body.data.record).toMatchObject({ label: 'Color', tag: 'COLOR', default_value: 'r', options: { g: 'Green' } });
    expect((await api('PUT', path, { type: 'text', label: 'Color', tag: 'COLOR' })).body.error).toBe('You are not allowed to change the field type. Please delete the field and re-create it.');
    expect(await api('DELETE', path)).toEqual({ code: 200, body: { status: 'success' } });
    expect((await api('GET', path)).body.error).toBe('The list field does not exist.');
  });

  test('a field without options answers an empty list, its settings are kept serialised', async () => {
    const made = await api('POST', `/lists/${uid}/fields`, { type: 'text', label: 'Number', tag: 'NUMBER', min_length: '2', max_length: '9', default_value: '0' });
    expect(made.body.data.record.options).toEqual([]);
    const [rows] = await pool.query<RowDataPacket[]>('SELECT CONVERT(meta_data USING utf8mb4) meta FROM mw_list_field WHERE field_id = ?', [made.body.data.record.field_id]);
    expect(rows[0]!['meta']).toBe('a:2:{s:10:"min_length";s:1:"2";s:10:"max_length";s:1:"9";}');
  });

  test('a new field is filled at once, blank ones with its default', async () => {
    await api('POST', `/lists/${uid}/fields`, { type: 'text', label: 'Plan', tag: 'PLAN', default_value: 'free' });
    await api('POST', `/lists/${uid}/subscribers`, { EMAIL: 'plan@example.test' });
    await api('POST', `/lists/${uid}/subscribers`, { EMAIL: 'paid@example.test', PLAN: 'paid' });
    const { records } = (await api('GET', `/lists/${uid}/subscribers`)).body.data;
    expect(records.map(({ EMAIL, PLAN }: any) => [EMAIL, PLAN])).toEqual([['paid@example.test', 'paid'], ['plan@example.test', 'free']]);
  });

  test('a choice field keeps one row per choice', async () => {
    await api('POST', `/lists/${uid}/fields`, { type: 'multiselect', label: 'Topics', tag: 'TOPICS' });
    await api('POST', `/lists/${uid}/subscribers`, { EMAIL: 'topics@example.test', 'TOPICS[0]': 'law', 'TOPICS[1]': 'tax' });
    const [rows] = await pool.query<RowDataPacket[]>("SELECT v.value FROM mw_list_field_value v JOIN mw_list_field f USING (field_id) JOIN mw_list_subscriber s USING (subscriber_id) WHERE s.email = 'topics@example.test' AND f.tag = 'TOPICS'");
    expect(rows.map(({ value }) => value)).toEqual(['law', 'tax']);
  });

  test.each([
    [{ type: 'text', label: 'X', tag: 'FNAME' }, { tag: 'Tag "FNAME" has already been taken.' }],
    [{ type: 'text', label: 'X', tag: '1X' }, { tag: 'The tag is invalid.' }],
    [{ type: 'text', tag: 'X' }, { label: 'Label cannot be blank.' }],
    [{ type: 'text', label: 'X', tag: 'X', max_length: '256' }, { max_length: 'Maximum length is too big (maximum is 255).' }],
    [{ type: 'nothing', label: 'X', tag: 'X' }, 'The field type identifier is wrong.'],
  ])('refuses %j', async (fields, error) => {
    expect(await api('POST', `/lists/${uid}/fields`, fields as Form)).toEqual({ code: 422, body: { status: 'error', error } });
  });

  test('EMAIL cannot be deleted', async () => {
    const [email] = (await api('GET', `/lists/${uid}/fields`)).body.data.records;
    expect((await api('DELETE', `/lists/${uid}/fields/${email.field_id}`)).body.error).toBe('The EMAIL field cannot be deleted.');
  });
});

describe('countries, servers, customers', () => {
  test('more than 240 countries by page, zones by country', async () => {
    const { data } = (await api('GET', '/countries?per_page=1000')).body;
    expect(Number(data.count)).toBeGreaterThanOrEqual(240);
    expect([data.records.length, data.records[0]]).toEqual([Number(data.count), { country_id: '1', name: 'Afghanistan', code: 'AF' }]);
    const us = data.records.find(({ code }: any) => code === 'US');
    const zones = (await api('GET', `/countries/${us.country_id}/zones?per_page=2`)).body.data;
    expect(zones).toMatchObject({ count: '51', next_page: 2, records: [{ zone_id: expect.stringMatching(/^\d+$/), name: 'Alabama', code: 'AL' }, { name: 'Alaska' }] });
  });

  test('delivery servers show type, name, host and status', async () => {
    const { data } = (await api('GET', '/delivery-servers')).body;
    expect(data).toMatchObject({ count: '2', records: [{ server_id: '1', type: 'smtp-pmta', name: 'PowerMTA', hostname: 'pmta.sandbox.test', status: 'active' }, {}] });
    expect((await api('GET', '/delivery-servers/1')).body.data.record).toEqual(data.records[0]);
    expect((await api('GET', '/delivery-servers/99')).body.error).toBe('The server does not exist.');
  });

  test('a customer is created once, with company, or refused field by field', async () => {
    const customer = {
      'customer[first_name]': 'Jo', 'customer[last_name]': 'Doe', 'customer[email]': `jo${Date.now()}@example.test`, 'customer[confirm_email]': '', 'customer[password]': 'secret1', 'customer[confirm_password]': 'secret1', 'customer[timezone]': 'UTC',
      'customer[birthDate]': '1980-01-31', 'company[name]': 'Doe', 'company[country]': 'France', 'company[city]': 'Paris', 'company[zip_code]': '75001', 'company[address_1]': 'Rue 1',
    };
    customer['customer[confirm_email]'] = customer['customer[email]'];
    expect(await api('POST', '/customers', customer)).toEqual({ code: 201, body: { status: 'success', customer_uid: uidShape } });
    expect(await api('POST', '/customers', customer)).toMatchObject({ code: 422, body: { error: { email: expect.stringContaining('has already been taken.') } } });
    expect((await api('POST', '/customers', { ...customer, 'customer[confirm_password]': 'other' })).body.error).toHaveProperty('confirm_password');
    await mailwizz.switches({ customer_creation: false });
    expect((await api('POST', '/customers', customer)).body.error).toBe('Customer creation is disabled.');
  });
});

test('the tables have the names, lengths and keys that others write to', async () => {
  const [columns] = await pool.query<RowDataPacket[]>(
    "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) name, COLUMN_TYPE type FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND CONCAT(TABLE_NAME, '.', COLUMN_NAME) IN (?)",
    [['mw_list_subscriber.email', 'mw_list_subscriber.subscriber_uid', 'mw_list_subscriber.status', 'mw_list_subscriber.ip_address', 'mw_list_field_value.value', 'mw_email_blacklist.email', 'mw_list_field.tag']],
  );
  expect(Object.fromEntries(columns.map(({ name, type }) => [name, type]))).toEqual({
    'mw_list_subscriber.email': 'varchar(100)', 'mw_list_subscriber.subscriber_uid': 'char(13)', 'mw_list_subscriber.status': 'char(15)', 'mw_list_subscriber.ip_address': 'char(15)', 'mw_list_field_value.value': 'varchar(255)',
    'mw_email_blacklist.email': 'varchar(150)', 'mw_list_field.tag': 'varchar(50)',
  });
  const [keys] = await pool.query<RowDataPacket[]>(
    "SELECT TABLE_NAME t, INDEX_NAME k, MIN(NON_UNIQUE) n FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('mw_list_subscriber', 'mw_list_field_value', 'mw_email_blacklist') AND INDEX_NAME <> 'PRIMARY' GROUP BY t, k HAVING n = 0",
  );
  expect(keys.map(({ t, k }) => `${t} ${k}`).sort()).toEqual(['mw_email_blacklist email', 'mw_list_subscriber subscriber_uid']);
});
