import fc from 'fast-check';
import { encode, path, toForm, toQuery } from '../../../src/adapters/mailwizz/form';
import { createBulk } from '../../../src/adapters/mailwizz/calls/bulk';

const phpDecode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '));

test('what is encoded is made of what PHP leaves alone, and decodes to what it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const encoded = encode(text);
      expect(encoded).toMatch(/^(?:[A-Za-z0-9_.+-]|%[0-9A-F]{2})*$/);
      expect(phpDecode(encoded)).toBe(text);
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  ["it's (a) *~test*!", 'it%27s+%28a%29+%2A%7Etest%2A%21'],
  ['a+b@ü.test', 'a%2Bb%40%C3%BC.test'],
  ['😀', '%F0%9F%98%80'],
])('%s is written as PHP writes it', (text, expected) => expect(encode(text)).toBe(expected));

test('half a character is refused, never replaced', () => expect(() => encode('\ud800')).toThrow(expect.objectContaining({ kind: 'invalid' })));

test('maps and lists nest by brackets, and what is undefined is left out', () => {
  const form = toForm({ campaign: { name: 'a b', template: { content: 'Pg==' }, segment_uid: undefined }, conditions: [{ field_id: 1 }, { field_id: 2 }] });
  expect(decodeURIComponent(form)).toBe('campaign[name]=a+b&campaign[template][content]=Pg==&conditions[0][field_id]=1&conditions[1][field_id]=2');
  expect(form).not.toMatch(/[[\]]/);
});

test('a form decodes to the same map, whatever stands in it', () => {
  const key = fc.stringMatching(/^[a-z_]{1,8}$/);
  fc.assert(
    fc.property(fc.dictionary(key, fc.dictionary(key, fc.string({ unit: 'grapheme' }))), (form) => {
      const pairs = toForm(form).split('&').filter((pair) => pair !== '').map((pair) => pair.split('=').map(phpDecode));
      const flat = Object.entries(form).flatMap(([outer, inner]) => Object.entries(inner).map(([name, value]) => [`${outer}[${name}]`, value]));
      expect(pairs).toEqual(flat);
    }),
    { numRuns: 300 },
  );
});

test('a part of a path cannot leave its place', () => {
  expect(path`/lists/${'a/../b?c#d'}/fields`).toBe('/lists/a%2F..%2Fb%3Fc%23d/fields');
  expect(toQuery({})).toBe('');
});

test('a bulk form carries each row whole, the status right behind the address', async () => {
  let sent = '';
  const api = { request: async (call: { form?: string | undefined }) => ((sent = call.form ?? ''), { kind: 'nothing' as const, reason: 'x' }) };
  await createBulk(api, 'l', [new Map([['EMAIL', 'a@b.test'], ['FNAME', 'É & ü']]), new Map([['EMAIL', 'c@b.test']])]);
  expect(sent.split('&').map(phpDecode)).toEqual([
    'subscribers[0][EMAIL]=a@b.test', 'subscribers[0][details][status]=confirmed', 'subscribers[0][FNAME]=É & ü', 'subscribers[1][EMAIL]=c@b.test', 'subscribers[1][details][status]=confirmed',
  ]);
});
