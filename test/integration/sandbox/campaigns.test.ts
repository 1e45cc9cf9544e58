import { deflateRawSync } from 'node:zlib';
import { addresses, base64, openMailwizz } from './mailwizz';

let mailwizz: Awaited<ReturnType<typeof openMailwizz>>;
beforeAll(async () => {
  mailwizz = await openMailwizz(91);
});
afterAll(() => mailwizz?.stop());
afterEach(() => mailwizz.reset());

describe('creating', () => {
  test('a campaign that names no status is scheduled', async () => {
    const uid = await mailwizz.createCampaign(await mailwizz.listOf([]));
    expect(uid).toMatch(/^[a-z]{2}[0-9]{3}[a-z0-9]{5}[0-9a-f]{3}$/);
    expect(await mailwizz.statusOf(uid)).toBe('pending-sending');
  });

  test.each(['draft', 'paused'])('a campaign may be created %s', async (status) => {
    expect(await mailwizz.statusOf(await mailwizz.createCampaign(await mailwizz.listOf([]), { 'campaign[status]': status }))).toBe(status);
  });

  test('what is missing is named field by field', async () => {
    const list = await mailwizz.listOf([]);
    const { body, code } = await mailwizz.api('POST', '/campaigns', {
      'campaign[list_uid]': list,
      'campaign[from_email]': 'nobody',
      'campaign[template][content]': base64('x'),
    });
    expect(code).toBe(422);
    expect(body).toEqual({
      status: 'error',
      error: {
        name: 'Campaign name cannot be blank.',
        from_name: 'From name cannot be blank.',
        from_email: 'From email is not a valid email address.',
        subject: 'Subject cannot be blank.',
        reply_to: 'Reply to cannot be blank.',
        send_at: 'Send at cannot be blank.',
      },
    });
  });

  test.each([
    ['no list', { 'campaign[list_uid]': '' }, 'Please provide a list for this campaign.'],
    ['an unknown list', { 'campaign[list_uid]': 'zz999zzzzz999' }, 'Provided list does not exist.'],
    ['an unknown segment', { 'campaign[segment_uid]': 'zz999zzzzz999' }, 'Provided list segment does not exist.'],
    ['no template', { 'campaign[template][content]': '' }, 'Please provide a template for your campaign.'],
    ['an unknown template', { 'campaign[template][template_uid]': 'zz999zzzzz999' }, 'Provided template does not exist.'],
  ])('%s is refused in words', async (_, changes, text) => {
    const list = await mailwizz.listOf([]);
    expect((await mailwizz.api('POST', '/campaigns', mailwizz.campaignForm(list, changes))).body).toEqual({ status: 'error', error: text });
  });

  test('send_at is read in the time zone of the customer, through both changes of the clock', async () => {
    await mailwizz.switches({ customer_timezone: 'Europe/Berlin' });
    const list = await mailwizz.listOf([]);
    const sendAt = async (text: string) =>
      (await mailwizz.truthOf(await mailwizz.createCampaign(list, { 'campaign[send_at]': text, 'campaign[status]': 'paused' }))).send_at;
    expect(await sendAt('2027-01-15 09:00:00')).toBe('2027-01-15T08:00:00.000Z');
    expect(await sendAt('2027-07-15 09:00:00')).toBe('2027-07-15T07:00:00.000Z');
    expect(await sendAt('2027-03-28 02:30:00')).toBe('2027-03-28T01:30:00.000Z');
    expect(await sendAt('2027-10-31 02:30:00')).toBe('2027-10-31T00:30:00.000Z');
  });

  test('a campaign reads back with localised dates, text ids and empty lists for empty maps', async () => {
    await mailwizz.switches({ customer_timezone: 'Europe/Berlin' });
    const list = await mailwizz.listOf(addresses(3));
    const uid = await mailwizz.createCampaign(list, { 'campaign[send_at]': '2027-02-24 23:38:00', 'campaign[status]': 'draft' });
    const { record } = (await mailwizz.api('GET', `/campaigns/${uid}`)).body.data;
    expect(record).toMatchObject({
      campaign_uid: uid,
      type: 'regular',
      to_name: '[EMAIL]',
      send_at: '2/24/27, 11:38 PM',
      list: { list_uid: list, subscribers_count: 3 },
      segment: [],
      group: [],
    });
    expect(record.campaign_id).toMatch(/^\d+$/);
  });

  test('a campaign may name a group, if it exists', async () => {
    const group = await mailwizz.control('POST', '/campaign-groups', { name: 'Spring' });
    const list = await mailwizz.listOf([]);
    const uid = await mailwizz.createCampaign(list, { 'campaign[group_uid]': group.group_uid as string, 'campaign[status]': 'draft' });
    expect((await mailwizz.api('GET', `/campaigns/${uid}`)).body.data.record.group).toEqual({ group_uid: group.group_uid, name: 'Spring' });
    expect((await mailwizz.api('POST', '/campaigns', mailwizz.campaignForm(list, { 'campaign[group_uid]': 'zz999zzzzz999' }))).code).toBe(
      422,
    );
  });

  test('a template may come as uid or as a zip, and is frozen in the campaign', async () => {
    const list = await mailwizz.listOf(['one@example.test']);
    const template = (await mailwizz.api('POST', '/templates', { 'template[name]': 'T', 'template[content]': base64('<p>first</p>') })).body
      .template_uid as string;
    const fromUid = await mailwizz.createCampaign(list, {
      'campaign[template][content]': '',
      'campaign[template][template_uid]': template,
      'campaign[status]': 'draft',
    });
    await mailwizz.api('PUT', `/templates/${template}`, { 'template[name]': 'T', 'template[content]': base64('<p>second</p>') });
    const fromZip = await mailwizz.createCampaign(list, {
      'campaign[template][content]': '',
      'campaign[template][archive]': zipOf('index.html', '<p>zipped [EMAIL]</p>').toString('base64'),
      'campaign[status]': 'draft',
    });
    const html = async (uid: string) =>
      (await mailwizz.control('GET', `/truth/messages?campaign_uid=${uid}&email=one@example.test`)).html as string;
    expect([await html(fromUid), await html(fromZip)]).toEqual(['<p>first</p>', '<p>zipped one@example.test</p>']);
  });
});

describe('moving', () => {
  const created = async (status: string) => mailwizz.createCampaign(await mailwizz.listOf(addresses(2)), { 'campaign[status]': status });
  const sent = async () => {
    const uid = await created('pending-sending');
    await mailwizz.tick();
    return uid;
  };
  const pauseUnpause = async (uid: string) => (await mailwizz.api('PUT', `/campaigns/${uid}/pause-unpause`)).body.campaign.status as string;

  test('pause-unpause toggles and answers the new status', async () => {
    const uid = await created('pending-sending');
    expect([await pauseUnpause(uid), await pauseUnpause(uid), await pauseUnpause(uid)]).toEqual(['paused', 'sending', 'paused']);
    expect(await mailwizz.statusOf(uid)).toBe('paused');
  });

  test('pause-unpause leaves a draft and a sent campaign as they are, or refuses, as the switch says', async () => {
    const [draft, done] = [await created('draft'), await sent()];
    expect([await pauseUnpause(draft), await pauseUnpause(done)]).toEqual(['draft', 'sent']);
    await mailwizz.switches({ pause_elsewhere: 'refused' });
    expect((await mailwizz.api('PUT', `/campaigns/${draft}/pause-unpause`)).code).toBe(400);
  });

  test.each(['pending-sending', 'paused'])('mark-sent ends a campaign that is %s, and nothing of it is sent any more', async (status) => {
    const uid = await created(status);
    expect((await mailwizz.api('PUT', `/campaigns/${uid}/mark-sent`)).body).toEqual({ status: 'success', campaign: { status: 'sent' } });
    await mailwizz.tick();
    expect(await mailwizz.truthOf(uid)).toMatchObject({ status: 'sent', sent: 0 });
  });

  test('mark-sent is refused in words from draft and sent', async () => {
    for (const uid of [await created('draft'), await sent()]) {
      expect(await mailwizz.api('PUT', `/campaigns/${uid}/mark-sent`)).toEqual({
        code: 400,
        body: { status: 'error', error: 'The campaign does not allow marking it as sent!' },
      });
    }
  });

  test('a deleted campaign is gone for the API at once and from the tables after the cron', async () => {
    const uid = await created('draft');
    expect((await mailwizz.api('DELETE', `/campaigns/${uid}`)).body).toEqual({ status: 'success' });
    expect((await mailwizz.api('GET', `/campaigns/${uid}`)).body.error).toBe('The campaign does not exist.');
    expect((await mailwizz.truthOf(uid)).status).toBe('pending-delete');
    await mailwizz.control('POST', '/cron');
    expect(await mailwizz.truthOf(uid)).toBeUndefined();
  });

  test('a campaign that is being sent cannot be removed', async () => {
    const uid = await created('pending-sending');
    await mailwizz.tick({ max: 1 });
    expect(await mailwizz.statusOf(uid)).toBe('sending');
    expect((await mailwizz.api('DELETE', `/campaigns/${uid}`)).body.error).toBe('This campaign cannot be removed now.');
    await mailwizz.tick();
  });

  test('an update changes only what it names, and only before the campaign is sent', async () => {
    const uid = await created('draft');
    expect((await mailwizz.api('PUT', `/campaigns/${uid}`, { 'campaign[subject]': 'New' })).body).toMatchObject({ status: 'success' });
    expect((await mailwizz.api('GET', `/campaigns/${uid}`)).body.data.record).toMatchObject({
      subject: 'New',
      from_name: 'Ana',
      status: 'draft',
    });
    expect((await mailwizz.api('PUT', `/campaigns/${await sent()}`, { 'campaign[subject]': 'New' })).code).toBe(400);
  });

  test('a copy is a draft of its own with the same content', async () => {
    const uid = await sent();
    const copy = (await mailwizz.api('POST', `/campaigns/${uid}/copy`)).body.campaign_uid as string;
    const original = (await mailwizz.api('GET', `/campaigns/${uid}`)).body.data.record;
    expect((await mailwizz.api('GET', `/campaigns/${copy}`)).body.data.record).toMatchObject({
      name: `${original.name} #1`,
      subject: original.subject,
      status: 'draft',
    });
    expect((await mailwizz.truthOf(copy)).sent).toBe(0);
  });
});

test('campaigns are paged newest first and filtered by list', async () => {
  const list = await mailwizz.listOf([]);
  const uids = [];
  for (let number = 0; number < 5; number += 1) uids.push(await mailwizz.createCampaign(list, { 'campaign[status]': 'draft' }));
  const page = async (number: number) => (await mailwizz.api('GET', `/campaigns?list_uid=${list}&page=${number}&per_page=2`)).body.data;
  expect(await page(1)).toMatchObject({ count: '5', total_pages: 3, current_page: 1, next_page: 2, prev_page: null });
  expect(await page(3)).toMatchObject({ next_page: null, prev_page: 2 });
  const found = [...(await page(1)).records, ...(await page(2)).records, ...(await page(3)).records].map(
    ({ campaign_uid }) => campaign_uid as string,
  );
  expect(found).toEqual(uids.toReversed());
});

test('the stats have every key, as numbers', async () => {
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(1)));
  const { data } = (await mailwizz.api('GET', `/campaigns/${uid}/stats`)).body;
  const counted = [
    'delivery_success',
    'delivery_error',
    'opens',
    'unique_opens',
    'clicks',
    'unique_clicks',
    'unsubscribes',
    'complaints',
    'bounces',
    'hard_bounces',
    'soft_bounces',
    'internal_bounces',
  ];
  expect(data).toEqual({
    campaign_status: 'pending-sending',
    subscribers_count: 1,
    processed_count: 0,
    ...Object.fromEntries(
      counted.flatMap((key) => [
        [`${key}_count`, 0],
        [`${key}_rate`, 0],
      ]),
    ),
  });
  await mailwizz.tick();
});

test('a template is stored decoded, found by name and deleted', async () => {
  const name = `Réduction ${Date.now()}`;
  const uid = (await mailwizz.api('POST', '/templates', { 'template[name]': name, 'template[content]': base64('<p>é [FNAME]</p>') })).body
    .template_uid as string;
  expect((await mailwizz.api('GET', `/templates/${uid}`)).body).toEqual({
    status: 'success',
    data: { record: { name, content: '<p>é [FNAME]</p>', screenshot: null } },
  });
  const search = async () => (await mailwizz.api('GET', `/templates?${new URLSearchParams({ 'filter[name]': name }).toString()}`)).body;
  expect(await search()).toEqual({ status: 'success', data: { records: [{ template_uid: uid, name, screenshot: null }] } });
  expect((await mailwizz.api('PUT', `/templates/${uid}`, { 'template[content]': base64('x') })).body.error).toEqual({
    name: 'Name cannot be blank.',
  });
  expect((await mailwizz.api('DELETE', `/templates/${uid}`)).body).toEqual({ status: 'success' });
  expect((await mailwizz.api('GET', `/templates/${uid}`)).body.error).toBe('The template does not exist.');
});

test('a transactional e-mail waits in its queue for a tick and for its time in UTC', async () => {
  await mailwizz.switches({ customer_timezone: 'Asia/Tokyo' });
  const form = (sendAt: string) => ({
    'email[to_name]': 'Jo',
    'email[to_email]': 'jo@example.test',
    'email[from_name]': 'Ana',
    'email[subject]': 'Test',
    'email[body]': base64('<b>Hello</b> Jo'),
    'email[send_at]': sendAt,
    'email[attachments][0][name]': 'a.txt',
    'email[attachments][0][type]': 'text/plain',
    'email[attachments][0][data]': base64('attached'),
  });
  const uid = (await mailwizz.api('POST', '/transactional-emails', form('2026-03-01 10:00:00'))).body.email_uid as string;
  const read = async () => (await mailwizz.api('GET', `/transactional-emails/${uid}`)).body.data.record;
  expect(await read()).toMatchObject({
    status: 'unsent',
    customer_id: '1',
    retries: '0',
    max_retries: '3',
    plain_text: 'Hello Jo',
    body: '<b>Hello</b> Jo',
    attachments: [{ type: 'text/plain', name: 'a.txt', data: base64('attached') }],
  });
  await mailwizz.tick({ now: '2026-03-01T09:59:59Z' });
  expect((await read()).status).toBe('unsent');
  await mailwizz.tick({ now: '2026-03-01T10:00:00Z' });
  expect((await read()).status).toBe('sent');
  expect((await mailwizz.control('GET', '/truth/transactional')).emails).toContainEqual(
    expect.objectContaining({ email_uid: uid, status: 'sent', to_email: 'jo@example.test', body: '<b>Hello</b> Jo' }),
  );
  expect((await mailwizz.api('DELETE', `/transactional-emails/${uid}`)).body).toEqual({ status: 'success' });
});

/** One deflated file, as any zip program writes it. */
function zipOf(name: string, text: string): Buffer {
  const packed = deflateRawSync(Buffer.from(text));
  const sizes = Buffer.alloc(12);
  sizes.writeUInt32LE(packed.length, 4);
  sizes.writeUInt32LE(Buffer.byteLength(text), 8);
  const lengths = Buffer.alloc(4);
  lengths.writeUInt16LE(name.length);
  const meta = Buffer.concat([Buffer.from([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]), sizes, lengths]);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), meta, Buffer.from(name), packed]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), meta, Buffer.alloc(14), Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}
