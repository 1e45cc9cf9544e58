import { openMailwizz } from './mailwizz';

const values = ['', 'alpha', 'Alphabet', 'beta', 'gamma_1', 'gamma%1', '9', '10', '0042', 'élan'];
let mailwizz: Awaited<ReturnType<typeof openMailwizz>>;
let list: string;
let fields: Record<string, string>;
beforeAll(async () => {
  mailwizz = await openMailwizz(84);
  list = await mailwizz.listOf(values.map((_, index) => `s${index}@example.test`), (index) => ({ FNAME: values[index] ?? '', LNAME: index < 5 ? 'low' : 'high' }));
  const { records } = (await mailwizz.api('GET', `/lists/${list}/fields`)).body.data;
  fields = Object.fromEntries(records.map(({ tag, field_id }: any) => [tag, field_id]));
});
afterAll(() => mailwizz?.stop());
afterEach(() => mailwizz.control('DELETE', '/switches'));

type Condition = [tag: string, operator: number, value: string];
const conditionsForm = (conditions: Condition[]) =>
  Object.fromEntries(conditions.flatMap(([tag, operator, value], index) => [[`conditions[${index}][field_id]`, fields[tag] ?? tag], [`conditions[${index}][operator_id]`, String(operator)], [`conditions[${index}][value]`, value]]));
const createSegment = (match: string, conditions: Condition[], more: Record<string, string> = {}) => mailwizz.api('POST', `/lists/${list}/segments`, { name: 'A segment', operator_match: match, ...conditionsForm(conditions), ...more });
async function membersOf(match: string, conditions: Condition[]): Promise<string[]> {
  const { body } = await createSegment(match, conditions);
  const { segment_uid, subscribers_count } = body.data.record;
  const { records, count } = (await mailwizz.api('GET', `/lists/${list}/segments/${segment_uid}/subscribers?per_page=100`)).body.data;
  expect([Number(count), records.length]).toEqual([subscribers_count, subscribers_count]);
  return records.map(({ FNAME }: any) => FNAME).sort();
}
const sorted = (...wanted: string[]) => [...wanted].sort();

test('the ten operators have their numbers', async () => {
  const { data } = (await mailwizz.api('GET', '/lists/segments/condition-operators')).body;
  expect([data.count, data.records.map(({ operator_id, slug }: any) => `${operator_id} ${slug}`)]).toEqual([
    '10', ['1 is', '2 is-not', '3 contains', '4 not-contains', '5 starts', '6 ends', '7 greater', '8 less', '9 not-starts', '10 not-ends'],
  ]);
});

test.each<[number, string, string[]]>([
  [1, 'ALPHA', ['alpha']],
  [1, 'elan', ['élan']],
  [2, 'alpha', values.filter((value) => value !== 'alpha')],
  [3, 'alpha', ['alpha', 'Alphabet']],
  [3, '_', ['gamma_1']],
  [3, '%', ['gamma%1']],
  [4, 'a', ['', '9', '10', '0042']],
  [5, 'al', ['alpha', 'Alphabet']],
  [6, '1', ['gamma_1', 'gamma%1']],
  [7, 'beta', ['gamma_1', 'gamma%1', 'élan']],
  [8, '10', ['', '0042']],
  [9, 'gamma', values.filter((value) => !value.startsWith('gamma'))],
  [10, 'a', values.filter((value) => !value.endsWith('a'))],
])('operator %i with "%s" selects by the stored value', async (operator, value, wanted) => {
  expect(await membersOf('all', [['FNAME', operator, value]])).toEqual(sorted(...wanted));
});

test('greater and less may compare as numbers', async () => {
  await mailwizz.switches({ segment_numbers: true });
  expect(await membersOf('all', [['FNAME', 7, '9']])).toEqual(sorted('10', '0042'));
});

test('any joins with or, all with and, none selects the whole list', async () => {
  const conditions: Condition[] = [['LNAME', 1, 'low'], ['FNAME', 3, 'gamma']];
  expect(await membersOf('all', conditions)).toEqual(['gamma_1']);
  expect(await membersOf('any', conditions)).toEqual(sorted(...values.slice(0, 5), 'gamma%1'));
  expect(await membersOf('all', [])).toHaveLength(values.length);
});

test('EMAIL is a field like any other', async () => {
  expect(await membersOf('all', [['EMAIL', 5, 's1@']])).toEqual(['alpha']);
});

test('create answers the record, with a display date, or just the uid', async () => {
  const { code, body } = await createSegment('any', [['FNAME', 3, 'x']]);
  expect(code).toBe(201);
  expect(body.data.record).toEqual({
    segment_uid: expect.stringMatching(/^[a-z]{2}[0-9]{3}[a-z0-9]{5}[0-9a-f]{3}$/), segment_id: expect.stringMatching(/^\d+$/), name: 'A segment', operator_match: 'any',
    date_added: expect.stringMatching(/^\d{1,2}\/\d{1,2}\/\d\d, \d{1,2}:\d\d [AP]M$/), subscribers_count: 0, conditions: [{ field_id: fields['FNAME'], operator_id: '3', value: 'x' }], campaign_conditions: [],
  });
  await mailwizz.switches({ segment_uid_at_top: true });
  expect((await createSegment('any', [])).body).toEqual({ status: 'success', segment_uid: expect.any(String) });
});

test('an update replaces all conditions', async () => {
  const { segment_uid } = (await createSegment('all', [['FNAME', 1, 'alpha'], ['LNAME', 1, 'low']])).body.data.record;
  const path = `/lists/${list}/segments/${segment_uid}`;
  const changed = await mailwizz.api('PUT', path, { name: 'Other', operator_match: 'any', ...conditionsForm([['LNAME', 1, 'high']]) });
  expect([changed.code, changed.body.data.record]).toMatchObject([200, { name: 'Other', operator_match: 'any', subscribers_count: 5, conditions: [{ field_id: fields['LNAME'], value: 'high' }] }]);
  expect((await mailwizz.api('GET', `/lists/${list}/segments?per_page=100`)).body.data.records).toContainEqual({ segment_uid, name: 'Other', subscribers_count: 5 });
  expect(await mailwizz.api('DELETE', path)).toEqual({ code: 200, body: { status: 'success' } });
  expect((await mailwizz.api('GET', path)).body.error).toBe('The list segment does not exist.');
});

test('campaign conditions select who opened or clicked so long ago', async () => {
  const campaign = await mailwizz.createCampaign(list);
  await mailwizz.tick();
  const { campaign_id } = (await mailwizz.api('GET', `/campaigns/${campaign}`)).body.data.record;
  const [reader] = (await mailwizz.api('GET', `/lists/${list}/subscribers`)).body.data.records;
  await mailwizz.api('GET', `/campaigns/${campaign}/track-opening/${reader.subscriber_uid}`);
  const count = async (action: string, operator: string) =>
    (
      await createSegment('all', [], {
        'campaign_conditions[0][action]': action, 'campaign_conditions[0][campaign_id]': campaign_id, 'campaign_conditions[0][time_comparison_operator]': operator, 'campaign_conditions[0][time_value]': '3',
        'campaign_conditions[0][time_unit]': 'day',
      })
    ).body.data.record;
  expect(await count('open', 'lte')).toMatchObject({ subscribers_count: 1, campaign_conditions: [{ action: 'open', campaign_id, time_comparison_operator: 'lte', time_value: '3', time_unit: 'day' }] });
  expect([(await count('open', 'gt')).subscribers_count, (await count('click', 'lte')).subscribers_count]).toEqual([0, 0]);
});

test.each([
  [{ name: '', operator_match: 'all' }, { name: 'Name cannot be blank.' }],
  [{ name: 'x', operator_match: 'some' }, { operator_match: 'Operator match is not in the list.' }],
  [{ name: 'x', operator_match: 'all', 'conditions[0][field_id]': '999999', 'conditions[0][operator_id]': '1' }, { field_id: 'Field is invalid.' }],
  [{ name: 'x', operator_match: 'all', 'conditions[0][field_id]': 'FNAME', 'conditions[0][operator_id]': '11' }, { operator_id: 'Operator is invalid.' }],
])('refuses %j', async (form, error) => {
  const given = Object.fromEntries(Object.entries(form).map(([name, value]) => [name, fields[value] ?? value]));
  expect(await mailwizz.api('POST', `/lists/${list}/segments`, given)).toEqual({ code: 422, body: { status: 'error', error } });
});

test('only confirmed subscribers are counted', async () => {
  const before = (await createSegment('all', [['LNAME', 1, 'odd']])).body.data.record.subscribers_count;
  await mailwizz.api('POST', `/lists/${list}/subscribers`, { EMAIL: 'odd@example.test', LNAME: 'odd', 'details[status]': 'unsubscribed' });
  expect([before, (await createSegment('all', [['LNAME', 1, 'odd']])).body.data.record.subscribers_count]).toEqual([0, 0]);
});
