import { findPoison } from '../../src/schemas/poison';
import { alertFilter, batchFilter, contactChanges, contactFilter, ingestRequest, listMap, newInstance, newSource, paging, streamQuery } from '../../src/schemas/requests';

const issuesOf = (result: { success: boolean; error?: { issues: { path: PropertyKey[]; message: string }[] } }) => result.error?.issues.map((issue) => issue.path.join('.'));

test.each([['a NUL', 'a\u0000b'], ['half a surrogate pair', 'a\ud800']])('%s is refused wherever a word is expected', (_, text) => {
  expect(issuesOf(ingestRequest.safeParse({ source_id: text, contacts: [{}] }))).toEqual(['source_id']);
  expect(issuesOf(streamQuery.safeParse({ source_id: text }))).toEqual(['source_id']);
  expect(issuesOf(contactFilter.safeParse({ q: text, source_id: text, category: text, batch_id: text, mailwizz_instance: text }))).toHaveLength(5);
  expect(issuesOf(batchFilter.safeParse({ source_id: text }))).toEqual(['source_id']);
});

test.each([['contacts', contactFilter], ['batches', batchFilter], ['alerts', alertFilter], ['sources and instances', paging]])('a filter of %s that is spelt wrong is refused, not ignored', (_, filter) => {
  expect(filter.safeParse({ pge: '2' }).success).toBe(false);
  expect(filter.safeParse({ page: '2', limit: '10' }).success).toBe(true);
});

test('categories are compared in small letters, in mappings, changes and filters', () => {
  const source = { source_id: 's', source_type: 'api', name: 's' };
  expect(newSource.parse({ ...source, default_list_mapping: { ' Avocat ': 12 } }).default_list_mapping).toEqual({ avocat: 12 });
  expect(newSource.safeParse({ ...source, default_list_mapping: { Avocat: 12, avocat: 13 } }).success).toBe(false);
  expect(contactChanges.parse({ category: ' Notaire ' })).toEqual({ category: 'notaire' });
  expect(contactFilter.parse({ category: 'NOTAIRE' }).category).toBe('notaire');
  expect(contactChanges.safeParse({ category: 'İ'.repeat(60) }).success).toBe(false); // twice as long in small letters
});

test('a change to nothing but blanks takes the value away', () => {
  const blank = { first_name: '', last_name: ' ', company: '', phone: '', website: '', country_code: '', language: '', category: '' };
  expect(contactChanges.parse(blank)).toEqual(Object.fromEntries(Object.keys(blank).map((name) => [name, null])));
  expect(contactChanges.parse({ country_code: 'fr' })).toEqual({ country_code: 'FR' });
  expect(contactChanges.safeParse({ country_code: 'ß' }).success).toBe(false);
});

test('a list that is named twice, or by a number no list can have, is refused by field', () => {
  const list = (list_id: number, list_uid: string) => ({ list_id, list_uid, name: 'l' });
  expect(issuesOf(listMap.safeParse({ lists: [list(1, 'a'), list(1, 'b'), list(2, 'a')] }))).toEqual(['lists.1.list_id', 'lists.2.list_uid']);
  expect(issuesOf(listMap.safeParse({ lists: [list(3e9, 'a')] }))).toEqual(['lists.0.list_id']);
  expect(listMap.safeParse({ lists: [list(1, 'a'), list(2, 'b')] }).success).toBe(true);
  expect(issuesOf(newInstance.safeParse({ instance_id: 'i', name: 'i', api_url: 'https://m.example/api', api_key: 'k', list_mapping: { avocat: 3e9 } }))).toEqual(['list_mapping.avocat']);
});

test('poison is found at any depth, and its path is never poison itself', () => {
  expect(findPoison({ a: [{ b: '\u0000' }] })).toEqual({ field: 'a.0.b', reason: 'nul_character' });
  expect(findPoison({ 'a\ud800': 1 })).toEqual({ field: 'key', reason: 'not_well_formed' });
  expect(findPoison(JSON.parse('{"n":1e400}'))).toEqual({ field: 'n', reason: 'number_out_of_range' });
  expect(findPoison(JSON.parse('{"x":{"__proto__":1}}'))).toEqual({ field: 'x.__proto__', reason: 'forbidden_key' });
  expect(findPoison(JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`))).toMatchObject({ reason: 'too_deep' });
  const halved = findPoison({ [`${'x'.repeat(98)}🙂`]: '\u0000' });
  expect(halved?.field.isWellFormed()).toBe(true);
  expect(findPoison({ fine: ['é', '🙂', '\u0001', 0, null, { deep: true }] })).toBeUndefined();
});
