import { addEvent, type Activity, isKnown, sumCounts } from '../../src/domain/mail-activity';
import { parseEventTime } from '../../src/domain/event-time';
import { clampTime, type MailEvent } from '../../src/domain/mail-event';
import { readAccounting } from '../../src/schemas/accounting';
import { readNative, readWebhook } from '../../src/schemas/webhooks';

const receivedMs = Date.parse('2026-11-25T12:00:00Z');
const source = { instanceId: 'client-1', receivedMs, zone: 'Europe/Paris' };

test.each([
  ['2026-02-20T12:34:56Z', '2026-02-20T12:34:56Z'], ['2026-02-20T13:34:56+01:00', '2026-02-20T12:34:56Z'], ['2026-02-20T13:34:56.789+01:00', '2026-02-20T12:34:56.789Z'], ['2026-02-20 12:34:56+0000', '2026-02-20T12:34:56Z'],
  ['2026-02-20 12:34:56 +0200', '2026-02-20T10:34:56Z'], ['2026-02-20 13:34:56', '2026-02-20T12:34:56Z'], ['2026-07-20 13:34:56', '2026-07-20T11:34:56Z'], ['2026-02-20T13:34', '2026-02-20T12:34:00Z'],
  ['1771590896', '2026-02-20T12:34:56Z'], [1_771_590_896, '2026-02-20T12:34:56Z'], ['1771590896000', '2026-02-20T12:34:56Z'], [1_771_590_896_000, '2026-02-20T12:34:56Z'], [' 2026-02-20T12:34:56Z ', '2026-02-20T12:34:56Z'],
])('a time written as %p is that instant', (written, instant) => expect(parseEventTime(written, 'Europe/Paris')).toBe(Date.parse(instant)));

test.each([undefined, null, '', 'yesterday', '2026-02-30 10:00:00', '2/24/21, 11:38 PM', 12, -1, {}, [], true, '99999-01-01', '2026-13-01T00:00:00Z', Number.NaN])('%p is no time, and no error', (written) => expect(parseEventTime(written, 'UTC')).toBeUndefined());

test.each([['tomorrow', receivedMs + 86_400_000], ['1970', 0], ['years ago', receivedMs - 800 * 86_400_000], ['none', undefined]])('an event of %s is ordered by when we heard of it', (_, own) => expect(clampTime(own, receivedMs)).toBe('2026-11-25T12:00:00.000Z'));

test('a report keeps what it says, in our words, and its absurd time beside the one that counts', () => {
  expect(readWebhook('email-clicked', { subscriber_uid: 'ab12', email: 'A@Example.com', campaign_uid: 'cd34', event_type: 'email_clicked', timestamp: '2099-01-01T00:00:00Z', ip_address: '1.2.3.4', user_agent: 'UA', event_data: { url: 'https://a.example/x', note: 'n' } }, source)).toEqual({
    type: 'clicked', way: 'mailwizz_webhook', instanceId: 'client-1', campaignUid: 'cd34', subscriberUid: 'ab12', email: 'A@example.com', emailHash: expect.stringMatching(/^[0-9a-f]{64}$/), at: '2026-11-25T12:00:00.000Z',
    receivedAt: '2026-11-25T12:00:00.000Z', bounceClass: null, url: 'https://a.example/x', ip: '1.2.3.4', userAgent: 'UA', data: { note: 'n', own_time: '2099-01-01T00:00:00Z' },
  });
});

test.each([
  ['an event that the address contradicts', { email: 'a@b.example', event_type: 'email_clicked' }, 'contradiction'], ['nobody', {}, 'no_subscriber'], ['no address and no uid', { email: 'not an address' }, 'no_subscriber'],
  ['a uid that is none', { subscriber_uid: 'x y' }, 'subscriber_uid'], ['a campaign that is none', { email: 'a@b.example', campaign_uid: '../x' }, 'campaign_uid'], ['a number', 7, 'no_subscriber'], ['null', null, 'no_subscriber'],
])('a report of %s is unreadable, and says why', (_, body, reason) => expect(readWebhook('email-opened', body, source)).toEqual({ unreadable: reason }));

test.each(['email_opened', 'opened', 'email-opened', 'OPENED', ''])('event_type %p says the same as the address', (event_type) => expect(readWebhook('email-opened', { email: 'a@b.example', event_type }, source)).toMatchObject({ type: 'opened' }));

test.each([['hard', 'hard'], ['soft', 'soft'], ['internal', 'internal'], ['whatever', 'soft'], [undefined, 'soft']])('a bounce called %s is %s', (bounce_type, expected) =>
  expect(readWebhook('email-bounced', { email: 'a@b.example', event_data: { bounce_type } }, source)).toMatchObject({ bounceClass: expected }));

test.each([['event.url', { event: { type: 'click', url: 'https://u.example', date_added: '2026-11-25 12:00:00' } }], ['event.destination', { event: { type: 'click', destination: 'https://u.example', date_added: '2026-11-25 12:00:00' } }], ['url.attributes', { event: { type: 'click', date_added: '2026-11-25 12:00:00' }, url: { attributes: { destination: 'https://u.example' } } }]])(
  "MailWizz's own click carries its URL in %s, its time in the zone of the instance", (_, body) =>
    expect(readNative({ ...body, subscriber: { attributes: { subscriber_uid: 's1', email: 'a@b.example' } }, campaign: { attributes: { campaign_uid: 'c1' } } }, source)).toMatchObject({ type: 'clicked', url: 'https://u.example', campaignUid: 'c1', subscriberUid: 's1', at: '2026-11-25T11:00:00.000Z' }));

describe('accounting of PowerMTA', () => {
  const categories = new Map([['bad-mailbox', 'hard'], ['quota-issues', 'soft'], ['policy-related', 'internal']] as const);
  const record = { type: 'b', timeLogged: '2026-11-25 11:00:00+0000', rcpt: 'a@b.example', bounceCat: 'bad-mailbox', dsnStatus: '5.1.1 (bad)', jobId: 'mailwizz-cd34ef56', 'header_X-Mw-Subscriber-Uid': 's1' };
  const read = (more: object) => readAccounting({ ...record, ...more }, categories, { receivedMs, zone: 'UTC' });

  test('a bounce names campaign, subscriber, address and class', () => expect(read({})).toMatchObject({ type: 'bounced', bounceClass: 'hard', campaignUid: 'cd34ef56', subscriberUid: 's1', email: 'a@b.example', instanceId: null, at: '2026-11-25T11:00:00.000Z', data: { bounceCat: 'bad-mailbox' } }));
  test.each([['quota-issues', '4.2.2', 'soft'], ['policy-related', '5.7.1', 'internal'], ['new-category', '5.1.1', 'hard'], ['new-category', '4.4.1', 'soft'], ['', '5.7.1', 'internal'], ['', '', 'internal']])('category %p with status %p is %s', (bounceCat, dsnStatus, expected) => expect(read({ bounceCat, dsnStatus })).toMatchObject({ bounceClass: expected }));
  test.each(['t', 'tq', 'r', 'rs'])('a record of type %s is passed over', (type) => expect(read({ type })).toBe('passed'));
  test('a feedback report takes the recipient from the header that still has it', () => expect(read({ type: 'f', rcpt: 'redacted@feedback.example', 'header_X-HmXmrOriginalRecipient': 'a@b.example' })).toMatchObject({ type: 'spam_report', email: 'a@b.example', bounceClass: null }));
  test('a later bounce without its recipient is known by its header', () => expect(read({ type: 'rb', rcpt: '' })).toMatchObject({ type: 'bounced', email: null, subscriberUid: 's1' }));
  test.each([[{ type: 'zz' }], [{ type: '' }]])('%p is no record', (more) => expect(read(more)).toEqual({ unreadable: 'not_an_event' }));
});

describe('activity', () => {
  const nothing: Activity = { campaignId: 1, contactId: 2, legId: 3, sourceId: 's', pool: 'other', opens: 0, clicks: 0, bounceClass: null, firstAt: { sent: null, delivered: null, bounced: null, opened: null, clicked: null, unsubscribed: null, spam_report: null } };
  const open = (at: string): Pick<MailEvent, 'type' | 'at' | 'bounceClass'> => ({ type: 'opened', at, bounceClass: null });

  test('an earlier open that comes later takes the contact to its day, and sums over days stay', () => {
    const first = addEvent(nothing, open('2026-11-25T10:00:00.000Z'));
    const second = addEvent(first.activity, open('2026-11-24T10:00:00.000Z'));
    expect(second.activity).toMatchObject({ opens: 2, firstAt: { opened: '2026-11-24T10:00:00.000Z' } });
    expect(sumCounts([...first.counts, ...second.counts]).map(({ day, total, contacts }) => [day, total, contacts])).toEqual([['2026-11-24', 1, 1], ['2026-11-25', 1, 0]]);
  });

  test('what happens once is known afterwards, a bounce only by its key', () => {
    const sent = addEvent(nothing, { type: 'sent', at: '2026-11-25T10:00:00.000Z', bounceClass: null }).activity;
    expect([isKnown(nothing, { type: 'sent', at: '', bounceClass: null }), isKnown(sent, { type: 'sent', at: '', bounceClass: null }), isKnown(sent, open('')), isKnown(addEvent(sent, { type: 'bounced', at: '2026-11-25T10:00:00.000Z', bounceClass: 'hard' }).activity, { type: 'bounced', at: '', bounceClass: 'soft' })]).toEqual([false, true, false, false]);
  });
});
