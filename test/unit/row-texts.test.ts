import fc from 'fast-check';
import { sliceContacts } from '../../src/schemas/row-texts';

test('every row comes out as JSON.parse reads it, whatever stands around it', () => {
  const spaced = (value: unknown) => fc.constantFrom(0, 1, '\t').map((indent) => JSON.stringify(value, null, indent));
  const body = fc.record({ before: fc.jsonValue(), contacts: fc.array(fc.jsonValue()), after: fc.jsonValue() });
  fc.assert(
    fc.property(body.chain((value) => spaced(value).map((text) => ({ value: JSON.parse(text) as typeof value, text }))), ({ value, text }) => {
      expect(sliceContacts(text).map((row) => JSON.parse(row) as unknown)).toEqual(value.contacts);
    }),
    { numRuns: 1000 },
  );
});

test('the text of a row stays as it was delivered', () => {
  expect(sliceContacts('{"contacts":[{"n":9007199254740993,"z":-0, "u":"\\u00e9\\"]"},"[",-0 ,null]}')).toEqual(['{"n":9007199254740993,"z":-0, "u":"\\u00e9\\"]"}', '"["', '-0', 'null']);
});

test('of several lists the last one counts, however its name is written', () => {
  expect(sliceContacts(' { "contacts" : [1] , "x":{"contacts":[9]}, "cont\\u0061cts":[2,3] } ')).toEqual(['2', '3']);
});
