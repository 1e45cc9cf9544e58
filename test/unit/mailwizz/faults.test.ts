import type { DoorSettings } from '../../../src/adapters/mailwizz/door';
import { createMailwizzGateway } from '../../../src/adapters/mailwizz/gateway';
import type { MailwizzGateway } from '../../../src/adapters/mailwizz/types';
import type { InjectionOutcome, OutgoingContact } from '../../../src/domain/injection';
import { type Fault, type Script, startScripted } from './scripted';
import { contactsOf, emailsOf, listUid, startOdd, success, tally, target, toContact } from './support';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** The clock of the gateway runs ahead of ours when a test lets a rest go by. */
async function arrange(script: Script = {}, door: Partial<DoorSettings> = {}, firstByteMs = 10_000) {
  const scripted = await startScripted(script);
  const clock = { ahead: 0 };
  const gateway = createMailwizzGateway({
    loadInstance: async () => scripted.settings, now: () => Date.now() + clock.ahead, timeouts: { connectMs: 5_000, firstByteMs, totalMs: firstByteMs * 2 }, door,
  });
  closing.push(scripted.stop, gateway.close);
  return { ...scripted, gateway, clock };
}

/** What the ledger does, after every rest and quiet period: look up what is unknown, send what is pending, until nothing is open. */
async function settle(gateway: MailwizzGateway, contacts: OutgoingContact[], clock: { ahead: number }, roundsAtMost = 300): Promise<Map<number, InjectionOutcome>> {
  const final = new Map<number, InjectionOutcome>();
  let state = new Map<number, 'pending' | 'unknown'>(contacts.map(({ contactId }) => [contactId, 'pending']));
  for (let rounds = 0; rounds < roundsAtMost && state.size > 0; rounds += 1) {
    const inState = (wanted: string) => contacts.filter(({ contactId }) => state.get(contactId) === wanted);
    const outcomes = [...(await gateway.lookUpSubscribers(target, inState('unknown'))), ...(await gateway.addSubscribers(target, inState('pending')))];
    state = new Map();
    for (const outcome of outcomes) {
      if (outcome.outcome === 'pending' || outcome.outcome === 'unknown') state.set(outcome.contactId, outcome.outcome);
      else final.set(outcome.contactId, outcome);
    }
    clock.ahead += 61_000;
  }
  return final;
}

/** Nothing lost, nothing twice, and our word is the truth. */
function expectTruth({ people, creates }: Awaited<ReturnType<typeof arrange>>, contacts: OutgoingContact[], final: Map<number, InjectionOutcome>): void {
  expect(creates()).toBe(people.size);
  for (const { contactId, email } of contacts) {
    const outcome = final.get(contactId);
    expect([email, outcome?.outcome]).toEqual([email, people.has(email.toLowerCase()) ? 'injected' : outcome?.outcome === 'injected' ? 'a row' : outcome?.outcome]);
  }
}
/** Scattered by a fixed rule: at every third exactly, the calls of one round may always be the ones that fail. */
const everyThird = (fault: Fault) => (call: { method: string }, number: number) => (call.method === 'POST' && (Math.imul(number, 2_654_435_761) >>> 16) % 3 === 0 ? fault : undefined);

test.each<[string, Fault]>([
  ['a 500', { status: 500 }], ['an empty 502', { status: 502 }], ['a 503 in HTML', { status: 503, html: true }], ['a 504', { status: 504, html: true }],
  ['a cut before the work', 'cut_before'], ['a cut reply', 'cut_after'], ['a reply that hangs', 'hang'], ['a body that stops', 'slow_body'],
  ['a truncated reply', 'truncated_json'], ['a PHP warning before the reply', 'php_warning'], ['a web page', { status: 200, html: true }], ['a 403 page', { status: 403, html: true }], ['an empty reply', { status: 200 }],
])('every third create ends in %s: nobody is lost, nobody is there twice', async (_name, fault) => {
  const setUp = await arrange({ fault: everyThird(fault) }, {}, fault === 'hang' || fault === 'slow_body' ? 500 : 10_000);
  const contacts = contactsOf(600);
  const final = await settle(setUp.gateway, contacts, setUp.clock);
  expect(tally([...final.values()])).toEqual({ 'injected api': 600 });
  expect(setUp.people.size).toBe(600);
  expectTruth(setUp, contacts, final);
}, 60_000);

test('1,000 contacts of bulk calls and 300 single ones, every reply cut after the work: all looked up, none sent again', async () => {
  const setUp = await arrange({ fault: (call) => (call.method === 'POST' ? 'cut_after' : undefined) }, { failuresToShut: 1_000_000 });
  const contacts = contactsOf(1_000);
  const singles = Array.from({ length: 300 }, (_, index) => toContact(2_000 + index));
  const outcomes = await setUp.gateway.addSubscribers(target, contacts);
  for (const single of singles) outcomes.push(...(await setUp.gateway.addSubscribers(target, [single])));
  expect(tally(outcomes)).toEqual({ 'unknown cut': 1_300 });
  const posts = setUp.seen.filter(({ method }) => method === 'POST').length;
  expect(tally(await setUp.gateway.lookUpSubscribers(target, [...contacts, ...singles]))).toEqual({ 'injected api': 1_300 });
  expect([setUp.creates(), setUp.people.size, setUp.seen.filter(({ method }) => method === 'POST').length]).toEqual([1_300, 1_300, posts]);
}, 60_000);

test('everything fails for 15 minutes: at most one call in 30 seconds, and all is well afterwards', async () => {
  let failing = true;
  const setUp = await arrange({ fault: () => (failing ? { status: 500 } : undefined) });
  const contacts = contactsOf(2_000);
  await setUp.gateway.addSubscribers(target, contacts);
  // Those under way when it shut are counted in.
  expect(setUp.seen.length).toBeLessThanOrEqual(13);
  const before = setUp.seen.length;
  for (let seconds = 0; seconds < 900; seconds += 10) {
    await setUp.gateway.addSubscribers(target, contacts.slice(0, 300));
    setUp.clock.ahead += 10_000;
  }
  expect(setUp.seen.length - before).toBeLessThanOrEqual(30);
  failing = false;
  const final = await settle(setUp.gateway, contacts, setUp.clock);
  expect(tally([...final.values()])).toEqual({ 'injected api': 2_000 });
  expectTruth(setUp, contacts, final);
}, 60_000);

test('a limit of 50 calls in a second is kept to, and everybody gets through', async () => {
  const times: number[] = [];
  const setUp = await arrange({
    fault: () => {
      const now = Date.now();
      if (times.filter((at) => at > now - 1_000).length >= 50) return { status: 429, headers: { 'retry-after': '1' } };
      times.push(now);
      return undefined;
    },
  });
  const contacts = contactsOf(120);
  // One by one, so that the limit is met.
  const outcomes = (await Promise.all(contacts.map((contact) => setUp.gateway.addSubscribers(target, [contact])))).flat();
  expect(tally(outcomes)).toEqual({ 'injected api': 120 });
  expect(setUp.seen.length - times.length).toBeLessThanOrEqual(12);
}, 30_000);

test('shuffled, lower-cased, partial and unanswered bulk records: each finds its contact, or a look-up does', async () => {
  const setUp = await arrange({ shuffle: true, lowerCases: true, stored: (email) => !/[37]@/.test(email), answered: (email) => !/[159]@/.test(email) });
  const contacts = contactsOf(500).map((contact) => ({ ...contact, email: contact.email.replace('a', 'A') }));
  const outcomes = await setUp.gateway.addSubscribers(target, contacts);
  for (const outcome of outcomes) {
    const { email } = contacts.find(({ contactId }) => contactId === outcome.contactId)!;
    expect([email, outcome.outcome]).toEqual([email, /[1-9]?[13579]@/.test(email) ? 'unknown' : 'injected']);
    if (outcome.outcome === 'injected') expect(outcome.uid).toBe(setUp.people.get(email.toLowerCase())!.uid);
  }
});

test.each([1_000, 500, 200, 60])('PHP drops all beyond %i variables: nobody is lost, nobody is there twice, and every stored row is whole in the end', async (maxVars) => {
  const setUp = await arrange({ maxVars });
  const contacts = contactsOf(600);
  const final = await settle(setUp.gateway, contacts, setUp.clock);
  expect(tally([...final.values()])).toEqual({ 'injected api': 600 });
  expectTruth(setUp, contacts, final);
  expect([...setUp.people.values()].filter(({ fields }) => fields.get('BUCKET') !== '0042')).toEqual([]);
}, 60_000);

test('one row that a firewall dislikes keeps itself out, not its neighbours', async () => {
  const setUp = await arrange({ fault: ({ body }) => (body.includes('union') ? { status: 403, html: true } : undefined) });
  const contacts = contactsOf(200).map((contact) => (contact.contactId === 77 ? { ...contact, firstName: 'union select' } : contact));
  const final = await settle(setUp.gateway, contacts, setUp.clock, 40);
  expect(final.size).toBe(199);
  expectTruth(setUp, contacts.filter(({ contactId }) => contactId !== 77), final);
}, 60_000);

const languages = [
  { exists: 'The subscriber already exists in this list.', blacklisted: 'This email address is blacklisted.' },
  { exists: 'Bu abone zaten listede var.', blacklisted: 'Bu e-posta kara listede.' },
  { exists: 'Der Abonnent existiert bereits in dieser Liste.', blacklisted: 'Diese Adresse ist gesperrt.' },
];
test.each(languages)('"$exists" and "$blacklisted" are told apart in any language', async (texts) => {
  const setUp = await arrange({ texts });
  const contacts = contactsOf(300);
  for (const { contactId, email } of contacts) {
    if (contactId % 3 === 0) setUp.people.set(email, { uid: `old${contactId}`, status: 'confirmed', fields: new Map([['EMAIL', email]]) });
    if (contactId % 3 === 1) setUp.blacklist.add(email);
  }
  const outcomes = await setUp.gateway.addSubscribers(target, contacts);
  for (const outcome of outcomes) {
    const expected = outcome.contactId % 3 === 0 ? { outcome: 'injected', uid: `old${outcome.contactId}` } : outcome.contactId % 3 === 1 ? { outcome: 'suppressed', reason: 'blacklisted' } : { outcome: 'injected' };
    expect(outcome).toMatchObject(expected);
  }
  expect(outcomes).toHaveLength(300);
  expect(setUp.people.get('a3@example.test')!.fields.get('FNAME')).toBe('Ana');
}, 60_000);

test('a key that is revoked halfway costs five calls at most, and no contact', async () => {
  let good = 0;
  let failed = 0;
  const setUp = await arrange({
    fault: () => {
      if ((good += 1) <= 5) return undefined;
      failed += 1;
      return { status: 401, text: JSON.stringify({ status: 'error', error: 'Invalid API key. Please refer to the documentation.' }) };
    },
  });
  const pages = [0, 1, 2].map((page) => Array.from({ length: 500 }, (_, index) => toContact(page * 1_000 + index + 1)));
  const outcomes = (await Promise.all(pages.map((page) => setUp.gateway.addSubscribers(target, page)))).flat();
  expect(failed).toBeLessThanOrEqual(5);
  expect(outcomes).toHaveLength(1_500);
  expect(Object.keys(tally(outcomes)).sort()).toEqual(['injected api', 'pending refused']);
});

test('a list that goes away halfway costs its own contacts only', async () => {
  const odd = await startOdd(({ form, path }, res) =>
    path.includes(listUid) ? res.writeHead(404, { 'content-type': 'application/json' }).end('{"status":"error","error":"The list does not exist."}')
      : success(res, { data: { records: emailsOf(form).map((EMAIL) => ({ data: { EMAIL, subscriber_uid: 'u' } })) } }),
  );
  const lists = [...odd.settings.lists, { listId: 13, listUid: 'other', fields: ['EMAIL'] }];
  const gateway = createMailwizzGateway({ loadInstance: async () => ({ ...odd.settings, lists }), now: Date.now });
  closing.push(odd.stop, gateway.close);
  expect(tally(await gateway.addSubscribers(target, contactsOf(3)))).toEqual({ 'rejected list_not_found': 3 });
  expect(tally(await gateway.addSubscribers({ ...target, listId: 13 }, contactsOf(3)))).toEqual({ 'injected api': 3 });
});
