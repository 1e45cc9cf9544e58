import { enrichContact } from '../../src/domain/enrichment';
import { routeContact, type RoutingTables } from '../../src/domain/routing';
import { nextWaitMs, toDueBucket } from '../../src/domain/waiting';
import { toBucket, toTagSet } from '../../src/domain/injection';

const tables: RoutingTables = {
  source: { instanceId: 'client-1', listMapping: { avocat: 99 } },
  instances: [
    { instanceId: 'client-1', listMapping: { notaire: 14 } },
    { instanceId: 'client-2', listMapping: {} },
  ],
  rules: [
    { id: 1, position: 10, category: 'avocat', instanceId: 'client-1', listId: 12 },
    { id: 2, position: 20, category: 'blogueur', instanceId: 'client-2', listId: 45 },
  ],
};

test("the source's own list wins", () => expect(routeContact('avocat', tables)).toEqual({ instanceId: 'client-1', listId: 99, rule: 'source_default', crossed: false }));
test("then the home instance's mapping", () => expect(routeContact('notaire', tables)).toMatchObject({ listId: 14, rule: 'instance_mapping' }));
test('then the business rules, and a crossing to another client is told', () => expect(routeContact('blogueur', tables)).toEqual({ instanceId: 'client-2', listId: 45, rule: 'rule:2', crossed: true }));
test('a category no rule knows, or none, has no route', () => {
  expect(routeContact('plombier', tables)).toBeUndefined();
  expect(routeContact(null, tables)).toBeUndefined();
});
test('a category named like a built-in property has no route', () => expect(routeContact('constructor', tables)).toBeUndefined());

const contact = { category: null, tags: [], company: null, website: null, firstName: null, lastName: null, phone: null, countryCode: null, language: null, rawText: '', verdict: 'valid' as const };
const rules = [
  { id: 1, position: 10, category: 'avocat', words: ['avocat', 'law firm'], unless: ['guacamole'] },
  { id: 2, position: 20, category: 'notaire', words: ['notaire'], unless: [] },
];
test('a category comes from whole words, marks and case aside', () => expect(enrichContact({ ...contact, company: 'Cabinet d’AVOCAT' }, rules)).toMatchObject({ category: 'avocat', categoryRule: 'category:1' }));
test('part of a word is no hit', () => expect(enrichContact({ ...contact, company: 'Avocatis SA' }, rules).category).toBeNull());
test('a blocking word stops the rule', () => expect(enrichContact({ ...contact, rawText: 'avocat guacamole notaire' }, rules).category).toBe('notaire'));
test('a given category is never replaced', () => expect(enrichContact({ ...contact, category: 'blogueur', company: 'avocat' }, rules)).toMatchObject({ category: 'blogueur', categoryRule: null }));
test('an invalid address scores nothing, a full one scores 100', () => {
  const full = { ...contact, category: 'avocat', company: 'C', website: 'w', firstName: 'f', lastName: 'l', phone: 'p', countryCode: 'FR', language: 'fr' };
  expect(enrichContact({ ...full, verdict: 'invalid' }, rules).score).toBe(0);
  expect(enrichContact(full, rules).score).toBe(100);
});

const waits = { greylist: [300, 1200], busy: [], dns: [], provider: [], pool: [] };
test('waits follow their list, then end', () => expect([0, 1, 2].map((attempt) => nextWaitMs(waits, 'greylist', attempt))).toEqual([300, 1200, undefined]));
test('a longer wait that the server states wins', () => expect(nextWaitMs(waits, 'greylist', 0, 900)).toBe(900));
test('a bucket never comes before what is due in it', () => expect([toDueBucket(1001, 500), toDueBucket(1000, 500)]).toEqual([1500, 1000]));
test('tags can be matched exactly and buckets are four digits', () => {
  expect([toTagSet(['a', 'b']), toTagSet(['a|b', 'c']), toTagSet(['a|b'])]).toEqual(['|a|b|', '|c|', '']);
  expect(toBucket('0000000a'.padEnd(64, '0'))).toBe('0010');
});
