import { startTelegram, type TelegramStandIn } from '../../../sandbox/telegram';

let telegram: TelegramStandIn;
let clock = 0;
beforeEach(async () => {
  clock = Date.parse('2026-07-01T12:00:00Z');
  telegram = await startTelegram(0, () => clock);
});
afterEach(() => telegram.stop());

const call = async (method: string, path: string, body?: object) => {
  const answer = await fetch(telegram.url + path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { code: answer.status, headers: answer.headers, body: (await answer.json()) as any };
};
const send = (params: object) => call('POST', '/bot1:token/sendMessage', { chat_id: 42, ...params });
const messages = async () => (await call('GET', '/messages')).body as { text: string; chat_id: string }[];
const described = async (params: object) => (await send(params)).body.description as string;

test('a message is answered as the Bot API does, and kept', async () => {
  const { code, body } = await send({ text: 'Hello' });
  expect(code).toBe(200);
  expect(body).toEqual({
    ok: true,
    result: {
      message_id: 1,
      from: expect.objectContaining({ is_bot: true }),
      chat: { id: 42, first_name: 'Operator', type: 'private' },
      date: clock / 1_000,
      text: 'Hello',
    },
  });
  expect(await messages()).toEqual([expect.objectContaining({ text: 'Hello', chat_id: '42', message_id: 1 })]);
});

test('parameters come as JSON, form, multipart or in the query', async () => {
  await call('PUT', '/limits', { chat_per_second: 10 });
  const path = `${telegram.url}/bot1:token/sendMessage`;
  const multipart = new FormData();
  for (const [name, value] of Object.entries({ chat_id: '42', text: 'multipart' })) multipart.append(name, value);
  await send({ text: 'json' });
  await fetch(path, { method: 'POST', body: new URLSearchParams({ chat_id: '42', text: 'form' }) });
  await fetch(path, { method: 'POST', body: multipart });
  await fetch(`${path}?chat_id=42&text=query`);
  expect((await messages()).map(({ text }) => text)).toEqual(['json', 'form', 'multipart', 'query']);
});

test.each([
  [{ chat_id: '', text: 'x' }, 'Bad Request: chat_id is empty'],
  [{ chat_id: 'nobody', text: 'x' }, 'Bad Request: chat not found'],
  [{ text: ' ' }, 'Bad Request: message text is empty'],
  [{ text: '<b></b>', parse_mode: 'HTML' }, 'Bad Request: message text is empty'],
  [{ text: 'x'.repeat(4_097) }, 'Bad Request: message is too long'],
  [{ text: 'x', parse_mode: 'wiki' }, 'Bad Request: unsupported parse_mode'],
])('%j is refused: %s', async (params, description) => {
  expect((await send(params)).body).toEqual({ ok: false, error_code: 400, description });
  expect(await messages()).toEqual([]);
});

test('the limit of 4,096 characters counts what is left after parsing', async () => {
  expect((await send({ text: `<b>${'é'.repeat(4_096)}</b>`, parse_mode: 'HTML' })).code).toBe(200);
});

test.each([
  ['MarkdownV2', '1.5 contacts', "Character '.' is reserved and must be escaped with the preceding '\\'"],
  ['MarkdownV2', 'é *bold', "Can't find end of Bold entity at byte offset 3"],
  ['MarkdownV2', '_a *b_ c*', "Can't find end of Bold entity at byte offset 8"],
  ['MarkdownV2', '`code', "Can't find end of Code entity at byte offset 0"],
  ['MarkdownV2', '[text](http://x', "Can't find end of a URL at byte offset 6"],
  ['MarkdownV2', 'a-b', "Character '-' is reserved and must be escaped with the preceding '\\'"],
  ['Markdown', 'snake_case', "Can't find end of the entity starting at byte offset 5"],
  ['HTML', '<b>bold', 'Can\'t find end tag corresponding to start tag "b"'],
  ['HTML', 'é <div>x</div>', 'Unsupported start tag "div" at byte offset 3'],
  ['HTML', 'a < b', 'Unsupported start tag "" at byte offset 2'],
  ['HTML', '<b><i>x</b></i>', 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'],
  ['HTML', 'x</b>', 'Unexpected end tag at byte offset 1'],
  ['HTML', '<span>x</span>', 'Tag "span" must have class "tg-spoiler" at byte offset 0'],
])('%s refuses %s', async (mode, text, reason) => {
  expect(await described({ text, parse_mode: mode })).toBe(`Bad Request: can't parse entities: ${reason}`);
});

test.each([
  [
    'MarkdownV2',
    '*bold* _it_ __un__ ~no~ ||sp|| `a.b` [l\\.k](http://x.test/a\\)) 1\\.5',
    'bold it un no sp a.b l.k 1.5',
    ['bold', 'italic', 'underline', 'strikethrough', 'spoiler', 'code', 'text_link'],
  ],
  ['MarkdownV2', '```js\nconst a = 1;```', 'const a = 1;', ['pre']],
  ['MarkdownV2', '>quoted', 'quoted', []],
  ['Markdown', '*bold* \\_ [l](http://x.test)', 'bold _ l', ['bold', 'text_link']],
  [
    'HTML',
    '<b>a &lt; b &amp; c</b> <a href="https://x.test">l</a> & <code>&#233;</code>',
    'a < b & c l & é',
    ['bold', 'text_link', 'code'],
  ],
  [undefined, '1.5 *x* <b>', '1.5 *x* <b>', undefined],
])('%s reads %s', async (mode, text, plain, types) => {
  const { body } = await send({ text, ...(mode && { parse_mode: mode }) });
  expect([body.result.text, body.result.entities?.map(({ type }: any) => type) ?? (mode && [])]).toEqual([plain, types]);
});

test('entities are placed in UTF-16 units', async () => {
  const { body } = await send({ text: '😀 *b*', parse_mode: 'MarkdownV2' });
  expect(body.result.entities).toEqual([{ type: 'bold', offset: 3, length: 1 }]);
});

test('a second message within a second is told when to come again; the refused one does not count', async () => {
  await send({ text: 'one' });
  clock += 400;
  const refused = await send({ text: 'two' });
  expect(refused.body).toEqual({
    ok: false,
    error_code: 429,
    description: 'Too Many Requests: retry after 1',
    parameters: { retry_after: 1 },
  });
  expect([refused.code, refused.headers.get('retry-after')]).toEqual([429, '1']);
  clock += 600;
  expect((await send({ text: 'two' })).code).toBe(200);
  expect((await send({ chat_id: 43, text: 'another chat' })).code).toBe(200);
});

test('a group takes twenty messages a minute', async () => {
  for (let second = 0; second < 20; second += 1) {
    expect((await send({ chat_id: -5, text: 'x' })).code).toBe(200);
    clock += 1_000;
  }
  expect((await send({ chat_id: -5, text: 'x' })).body.parameters).toEqual({ retry_after: 40 });
  clock += 40_000;
  expect((await send({ chat_id: -5, text: 'x' })).code).toBe(200);
});

test.each([
  ['removed', 403, 'Forbidden: bot was kicked from the group chat'],
  ['blocked', 403, 'Forbidden: bot was blocked by the user'],
  ['unauthorized', 401, 'Unauthorized'],
  ['chat_not_found', 400, 'Bad Request: chat not found'],
  ['rate_limit', 429, 'Too Many Requests: retry after 5'],
  ['http_502', 502, 'Bad Gateway'],
])('the fault %s hits so often as asked, and only its chat', async (fault, code, description) => {
  await call('POST', '/faults', { fault, chat_id: 42, count: 1 });
  expect((await send({ chat_id: 7, text: 'x' })).code).toBe(200);
  const hit = await send({ text: 'x' });
  expect([hit.code, hit.body.description]).toEqual([code, description]);
  expect((await send({ text: 'x' })).code).toBe(200);
});

test('down cuts every call until it is healed', async () => {
  await call('POST', '/faults', { fault: 'down' });
  await expect(send({ text: 'x' })).rejects.toThrow('fetch failed');
  await call('DELETE', '/faults');
  expect((await send({ text: 'x' })).code).toBe(200);
});

test('other methods: getMe and getChat answer, unknown ones are not found', async () => {
  expect((await call('GET', '/bot1:token/getMe')).body).toMatchObject({ ok: true, result: { is_bot: true, username: 'sandbox_bot' } });
  expect((await call('POST', '/bot1:token/getChat', { chat_id: '-1005' })).body).toMatchObject({
    ok: true,
    result: { type: 'supergroup' },
  });
  expect((await call('POST', '/bot1:token/sendRocket')).body).toEqual({ ok: false, error_code: 404, description: 'Not Found' });
});
