import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { type Entity, MarkupError, parseMarkup, toParseMode } from './telegram-markup';

const maxBody = 1 << 20;
const maxText = 4_096;
/** Older messages are forgotten. */
const maxKept = 100_000;
const bot = { id: 4_242_424_242, is_bot: true, first_name: 'Sandbox', username: 'sandbox_bot' };

/** What can go wrong, for all chats or one, for ever or a number of times. */
const faultBody = z.strictObject({
  fault: z.enum(['down', 'hang', 'unauthorized', 'removed', 'blocked', 'chat_not_found', 'migrated', 'rate_limit', 'http_500', 'http_502']),
  chat_id: z.union([z.string(), z.int()]).transform(String).optional(),
  count: z.int().min(1).optional(),
  retry_after: z.int().min(1).max(86_400).optional(),
});
const limitsBody = z.strictObject({
  chat_per_second: z.int().min(1).optional(),
  group_per_minute: z.int().min(1).optional(),
  all_per_second: z.int().min(1).optional(),
});

type Fault = z.infer<typeof faultBody> & { left: number };
type Message = {
  message_id: number;
  chat_id: string;
  date: number;
  text: string;
  parse_mode: string | null;
  entities: Entity[];
  source: string;
};
type Reply = { code: number; body: object } | 'cut' | 'silent';

const failure = (code: number, description: string, parameters?: object): Reply => ({
  code,
  body: { ok: false, error_code: code, description, ...(parameters && { parameters }) },
});
const badRequest = (text: string) => failure(400, `Bad Request: ${text}`);
const tooMany = (seconds: number) => failure(429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });

export type TelegramStandIn = { url: string; stop: () => Promise<void> };

/**
 * The Bot API: /bot<token>/sendMessage, getMe and getChat. Beside it, for tests: GET and DELETE /messages; POST, GET and DELETE /faults; PUT and GET /limits.
 * Groups have negative chat ids.
 */
export function startTelegram(port: number, now: () => number = Date.now): Promise<TelegramStandIn> {
  let messages: Message[] = [];
  let faults: Fault[] = [];
  let sent = 0;
  const limits = { chat_per_second: 1, group_per_minute: 20, all_per_second: 30 };
  const recent = new Map<string, number[]>();

  const server = createServer((req, res) => void serve(req, res).catch(() => res.destroy()));
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => {
      const bound = server.address();
      const at = typeof bound === 'object' && bound !== null ? bound.port : port;
      resolve({
        url: `http://127.0.0.1:${at}`,
        stop: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://telegram');
    const raw = await readBody(req);
    const method = /^\/bot[^/]+\/([^/]+)$/.exec(url.pathname)?.[1];
    const reply =
      raw === undefined
        ? failure(413, 'Request Entity Too Large')
        : method === undefined
          ? control(`${req.method ?? 'GET'} ${url.pathname}`, raw)
          : answer(method.toLowerCase(), readParams(req, url, raw));
    if (reply === 'cut') return void req.socket.destroy();
    if (reply === 'silent') return;
    const retryAfter = reply.code === 429 && 'parameters' in reply.body ? retryAfterOf(reply.body.parameters) : undefined;
    if (retryAfter !== undefined) res.setHeader('retry-after', retryAfter);
    res.writeHead(reply.code, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
  }

  function answer(method: string, params: Map<string, string>): Reply {
    const chatId = params.get('chat_id') ?? '';
    const fault = takeFault(chatId);
    if (fault) return fail(fault);
    if (method === 'getme')
      return {
        code: 200,
        body: { ok: true, result: { ...bot, can_join_groups: true, can_read_all_group_messages: false, supports_inline_queries: false } },
      };
    if (method !== 'sendmessage' && method !== 'getchat') return failure(404, 'Not Found');
    if (chatId === '') return badRequest('chat_id is empty');
    if (!/^(-?\d{1,19}|@\w{1,64})$/.test(chatId)) return badRequest('chat not found');
    return method === 'getchat' ? { code: 200, body: { ok: true, result: toChat(chatId) } } : sendMessage(chatId, params);
  }

  function sendMessage(chatId: string, params: Map<string, string>): Reply {
    const source = params.get('text') ?? '';
    const wanted = params.get('parse_mode') ?? '';
    const mode = wanted === '' ? undefined : toParseMode(wanted);
    if (wanted !== '' && !mode) return badRequest('unsupported parse_mode');
    const parsed = tryParse(source, mode);
    if (typeof parsed === 'string') return badRequest(`can't parse entities: ${parsed}`);
    if (parsed.text.trim() === '') return badRequest('message text is empty');
    if ([...parsed.text].length > maxText) return badRequest('message is too long');
    const wait = secondsToWait(chatId);
    if (wait > 0) return tooMany(wait);

    sent += 1;
    const message: Message = {
      message_id: sent,
      chat_id: chatId,
      date: Math.floor(now() / 1_000),
      text: parsed.text,
      parse_mode: mode ?? null,
      entities: parsed.entities,
      source,
    };
    messages.push(message);
    if (messages.length > maxKept) messages.shift();
    const { message_id, date, text, entities } = message;
    return {
      code: 200,
      body: { ok: true, result: { message_id, from: bot, chat: toChat(chatId), date, text, ...(entities.length > 0 && { entities }) } },
    };
  }

  /** One a second in a chat, twenty a minute in a group, thirty a second in all; what is refused does not count. */
  function secondsToWait(chatId: string): number {
    const at = now();
    const rules: [string, number, number][] = [
      [`chat ${chatId}`, limits.chat_per_second, 1_000],
      ['all', limits.all_per_second, 1_000],
      ...(/^[-@]/.test(chatId) ? [[`group ${chatId}`, limits.group_per_minute, 60_000] satisfies [string, number, number]] : []),
    ];
    let waitMs = 0;
    for (const [key, most, windowMs] of rules) {
      const times = (recent.get(key) ?? []).filter((time) => time > at - windowMs);
      recent.set(key, times);
      const freedBy = times.at(-most);
      if (freedBy !== undefined) waitMs = Math.max(waitMs, freedBy + windowMs - at);
    }
    if (waitMs === 0) for (const [key] of rules) recent.get(key)?.push(at);
    return Math.ceil(waitMs / 1_000);
  }

  function takeFault(chatId: string): Fault | undefined {
    const hit = faults.find((fault) => fault.left > 0 && (fault.chat_id === undefined || fault.chat_id === chatId));
    if (hit) hit.left -= 1;
    return hit;
  }

  function fail({ fault, retry_after: retryAfter = 5 }: Fault): Reply {
    switch (fault) {
      case 'down':
        return 'cut';
      case 'hang':
        return 'silent';
      case 'unauthorized':
        return failure(401, 'Unauthorized');
      case 'removed':
        return failure(403, 'Forbidden: bot was kicked from the group chat');
      case 'blocked':
        return failure(403, 'Forbidden: bot was blocked by the user');
      case 'chat_not_found':
        return badRequest('chat not found');
      case 'migrated':
        return failure(400, 'Bad Request: group chat was upgraded to a supergroup chat', { migrate_to_chat_id: -1_001_000_000_001 });
      case 'rate_limit':
        return tooMany(retryAfter);
      case 'http_500':
        return failure(500, 'Internal Server Error');
      case 'http_502':
        return failure(502, 'Bad Gateway');
    }
  }

  function control(what: string, raw: Buffer): Reply {
    const shown = { faults: faults.map(({ left, ...fault }) => ({ ...fault, ...(Number.isFinite(left) && { left }) })) };
    switch (what) {
      case 'GET /messages':
        return { code: 200, body: messages };
      case 'DELETE /messages':
        messages = [];
        recent.clear();
        return { code: 200, body: {} };
      case 'GET /faults':
        return { code: 200, body: shown };
      case 'DELETE /faults':
        faults = [];
        return { code: 200, body: { faults } };
      case 'POST /faults': {
        const parsed = faultBody.safeParse(toJson(raw));
        if (!parsed.success) return { code: 422, body: { error: z.prettifyError(parsed.error) } };
        faults.push({ ...parsed.data, left: parsed.data.count ?? Number.POSITIVE_INFINITY });
        return { code: 201, body: parsed.data };
      }
      case 'GET /limits':
        return { code: 200, body: limits };
      case 'PUT /limits': {
        const parsed = limitsBody.safeParse(toJson(raw));
        if (!parsed.success) return { code: 422, body: { error: z.prettifyError(parsed.error) } };
        Object.assign(limits, parsed.data);
        return { code: 200, body: limits };
      }
      default:
        return failure(404, 'Not Found');
    }
  }
}

function toChat(chatId: string): object {
  if (chatId.startsWith('@')) return { id: -1_001_000_000_000, title: chatId, username: chatId.slice(1), type: 'channel' };
  const id = Number(chatId);
  if (id > 0) return { id, first_name: 'Operator', type: 'private' };
  return { id, title: 'Operators', type: chatId.startsWith('-100') ? 'supergroup' : 'group' };
}

function tryParse(source: string, mode: ReturnType<typeof toParseMode>) {
  try {
    return parseMarkup(source, mode);
  } catch (error) {
    if (error instanceof MarkupError) return error.message;
    throw error;
  }
}

function retryAfterOf(parameters: unknown): number | undefined {
  return typeof parameters === 'object' && parameters !== null && 'retry_after' in parameters && typeof parameters.retry_after === 'number'
    ? parameters.retry_after
    : undefined;
}

/** Telegram takes parameters from the query, a form (urlencoded or multipart) or JSON, whatever the verb. */
function readParams(req: IncomingMessage, url: URL, raw: Buffer): Map<string, string> {
  const params = new Map(url.searchParams);
  const type = req.headers['content-type'] ?? '';
  if (type.startsWith('application/json')) {
    const body = toJson(raw);
    if (typeof body !== 'object' || body === null) return params;
    for (const [name, value] of Object.entries(body))
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') params.set(name, String(value));
  } else if (type.startsWith('application/x-www-form-urlencoded')) {
    for (const [name, value] of new URLSearchParams(raw.toString('utf8'))) params.set(name, value);
  } else {
    const boundary = /boundary="?([^";]+)/.exec(type)?.[1];
    for (const part of boundary === undefined ? [] : `\r\n${raw.toString('utf8')}`.split(`\r\n--${boundary}`).slice(1, -1)) {
      const split = part.indexOf('\r\n\r\n');
      const name = /[; ]name="([^"]*)"/i.exec(part.slice(0, split))?.[1];
      if (name !== undefined) params.set(name, part.slice(split + 4));
    }
  }
  return params;
}

function toJson(raw: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(raw.toString('utf8') || '{}');
    return value;
  } catch {
    return undefined;
  }
}

/** Undefined when it is too long. */
async function readBody(req: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of req) {
    if (!Buffer.isBuffer(part)) continue;
    size += part.length;
    if (size <= maxBody) parts.push(part);
  }
  return size <= maxBody ? Buffer.concat(parts) : undefined;
}
