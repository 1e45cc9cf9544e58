import { judgeRow } from '../../src/schemas/contact-row';

const row = (fields: object) => JSON.stringify({ email: 'a@site.test', ...fields });

test('a full row keeps every field, with blanks as absent', () => {
  const judged = judgeRow(row({ first_name: ' Jean ', last_name: '', country_code: 'th', category: 'Avocat', tags: ['a', 'a', ''], raw_data: { social: { linkedin: 'x' } }, unknown_field: 1 }));
  expect(judged).toMatchObject({ contact: { first_name: 'Jean', last_name: null, country_code: 'TH', category: 'avocat', tags: ['a'], social_links: { linkedin: 'x' } } });
});

test.each([
  ['not json', '{"email":', '', 'not_json'],
  ['not an object', '"text"', '', 'not_object'],
  ['no address', '{}', 'email', 'email_missing'],
  ['a NUL', row({ first_name: 'a\u0000b' }), 'first_name', 'nul_character'],
  ['half a surrogate pair', row({ company: 'a\ud800' }), 'company', 'not_well_formed'],
  ['a prototype key', '{"email":"a@site.test","raw_data":{"__proto__":{"x":1}}}', 'raw_data.__proto__', 'forbidden_key'],
  ['1e400', '{"email":"a@site.test","raw_data":{"n":1e400}}', 'raw_data.n', 'number_out_of_range'],
  ['deep nesting', `{"email":"a@site.test","raw_data":${'{"a":'.repeat(50)}1${'}'.repeat(50)}}`, expect.stringContaining('raw_data'), 'too_deep'],
  ['too many keys', row({ raw_data: Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, n])) }), expect.any(String), 'too_many_keys'],
  ['10 MB of text', row({ raw_data: { text: 'x'.repeat(10 << 20) } }), '', 'row_too_large'],
  ['a long name', row({ first_name: 'x'.repeat(256) }), 'first_name', 'too_long'],
  ['a country in words', row({ country_code: 'France' }), 'country_code', 'not_two_letters'],
  ['tags as text', row({ tags: 'a,b' }), 'tags', 'not_array'],
])('a row with %s is rejected with its field and reason', (_, payload, field, reason) => {
  expect(judgeRow(payload)).toEqual({ field, reason });
});

test('a row never changes what all objects share', () => {
  judgeRow('{"email":"a@site.test","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});
