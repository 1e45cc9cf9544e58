import fc from 'fast-check';
import { createSizing, toRows } from '../../../src/adapters/mailwizz/rows';
import { isCut, ourTags, toFields } from '../../../src/adapters/mailwizz/fields';
import { toContact } from './support';

const known = new Set<string>(ourTags);
const contact = fc.record({
  contactId: fc.integer({ min: 1, max: 100_000 }), firstName: fc.option(fc.string({ maxLength: 20 })), lastName: fc.option(fc.string({ maxLength: 20 })), company: fc.option(fc.constant('C')),
  phone: fc.option(fc.constant('1')), category: fc.option(fc.constant('avocat')), tags: fc.array(fc.stringMatching(/^[a-z]{1,5}$/), { maxLength: 4 }),
});

test('whatever the contacts and the limit, each row is in exactly one call, in order, and no call of several rows reaches 900 variables', () => {
  fc.assert(
    fc.property(fc.uniqueArray(contact, { selector: ({ contactId }) => contactId, minLength: 1, maxLength: 300, size: 'max' }), fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 10 }), (contacts, notes) => {
      const { rows, judged } = toRows(contacts.map((given) => toContact(given.contactId, given)), known);
      const sizing = createSizing();
      const calls: (typeof rows)[] = [];
      for (let from = 0; from < rows.length; from += calls.at(-1)!.length) {
        calls.push(sizing.take(rows, from));
        const note = notes[calls.length % Math.max(1, notes.length)];
        if (note === 0) sizing.noteRefused();
        if (note === 1) sizing.noteCut(calls.at(-1)!.slice(0, 3));
        if (note === 2) for (let times = 0; times < 20; times += 1) sizing.noteWhole();
      }
      expect(calls.flat()).toEqual(rows);
      expect(rows.length + judged.length).toBe(contacts.length);
      for (const call of calls) expect(call.length === 1 || call.reduce((sum, row) => sum + row.values.size + 1, 0) < 900).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('an installation that showed a lower limit gets smaller calls, and grows back when it has answered wholly for a while', () => {
  const { rows } = toRows(Array.from({ length: 200 }, (_, index) => toContact(index)), known);
  const sizing = createSizing();
  const usual = sizing.take(rows, 0).length;
  sizing.noteCut(rows.slice(0, 10));
  expect(sizing.take(rows, 0).length).toBeLessThanOrEqual(10);
  for (let times = 0; times < 200; times += 1) sizing.noteWhole();
  expect(sizing.take(rows, 0)).toHaveLength(usual);
});

test('an address is sent once, whatever its case', () => {
  const { rows, judged } = toRows([toContact(1, { email: 'Jo@x.test' }), toContact(2, { email: 'jo@x.test' })], known);
  expect(rows.map((row) => row.contact.contactId)).toEqual([1]);
  expect(judged).toEqual([{ contactId: 2, outcome: 'pending', reason: 'same_address_in_page' }]);
});

test('of more tags than a field holds, whole ones go, as many as fit and always the same; other values are not cut', () => {
  const tags = Array.from({ length: 60 }, (_, index) => `étiquette-${index}`);
  const one = toContact(1, { tags: [...tags.slice(0, 40), 'x'.repeat(300), 'kept', ...tags.slice(40)], sources: Array.from({ length: 90 }, (_, index) => 1_000 + index) });
  const { rows, judged } = toRows([one, toContact(2, { company: 'x'.repeat(256) })], known);
  expect(judged).toEqual([{ contactId: 2, outcome: 'rejected', reason: 'value_too_long' }]);
  const [values] = rows.map((row) => row.values);
  const kept = values!.get('TAGS')!.split(',');
  expect(kept).toEqual([...tags.slice(0, kept.length - 1), 'kept']);
  expect(values!.get('TAGSET')!.slice(1, -1).split('|')).toEqual(kept.slice(0, values!.get('TAGSET')!.split('|').length - 2));
  for (const tag of ['TAGS', 'TAGSET', 'SOURCES']) expect(values!.get(tag)!.length).toBeGreaterThan(235);
  for (const tag of ['TAGS', 'TAGSET', 'SOURCES']) expect(values!.get(tag)!.length).toBeLessThanOrEqual(255);
  expect(toFields(one, known)).toEqual(values);
  expect([isCut(one), isCut(toContact(3))]).toEqual([true, false]);
  expect(toFields(one, known, { email: 100, value: 20, fourByte: true }).get('TAGSET')).toBe('|étiquette-0|kept|');
});
