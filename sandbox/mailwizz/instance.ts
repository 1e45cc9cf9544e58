import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { createFaults, type Fault, faultKinds, type Faults } from './faults';
import { mapAt, parseForm, parseMultipart, type PhpMap } from './form';
import { createSubscribers, fieldsOf, findByEmail, updateSubscriber } from './subscribers';
import { listsOf, prepareDatabase, type SandboxList, stableUid } from './tables';

export type RunningInstance = {
  instance_id: string;
  api_url: string;
  api_key: string;
  mysql_url: string;
  control_url: string;
  lists: SandboxList[];
  stop: () => Promise<void>;
};

/** PHP's usual max_input_vars: what is beyond it is dropped in silence. */
const maxInputVars = 1000;
type Answer = { code: number; body: unknown };

/** One MailWizz: an API on `port`, a control listener on `port + 1`, a database of its own. */
export async function startInstance({ mariadb, number, port }: { mariadb: string; number: number; port: number }): Promise<RunningInstance> {
  const instanceId = `client-${number}`;
  const database = `mw_client_${number}`;
  const password = stableUid(`${instanceId}/mysql`);
  const apiKey = `${stableUid(`${instanceId}/key/1`)}${stableUid(`${instanceId}/key/2`)}${stableUid(`${instanceId}/key/3`)}`.slice(0, 40);
  const lists = listsOf(number);
  const root = await mysql.createConnection(mariadb);
  await prepareDatabase(root, { database, user: database, password, lists });
  await root.end();
  const pool = mysql.createPool({ uri: `${mariadb}/${database}`, connectionLimit: 8 });
  const faults = createFaults(number);
  const calls = new Map<string, number>();
  const api = createDoor(port, (req, res) => void serve(req, res).catch(() => res.destroy()));
  await api.open();
  const control = createDoor(port + 1, (req, res) => void serveControl(req, res).catch((error: unknown) => reply(res, { code: 500, body: { error: String(error) } })));
  await control.open();
  const mysqlHost = new URL(mariadb);

  return {
    instance_id: instanceId,
    api_url: `http://127.0.0.1:${port}/api`,
    api_key: apiKey,
    mysql_url: `mysql://${database}:${password}@${mysqlHost.hostname}:${mysqlHost.port}/${database}`,
    control_url: `http://127.0.0.1:${port + 1}`,
    lists,
    async stop() {
      await api.close();
      await control.close();
      await pool.end();
    },
  };

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://sandbox');
    const path = url.pathname.replace(/^\/api(\/index\.php)?/, '').replace(/\/$/, '');
    const method = req.method === 'POST' ? String(req.headers['x-http-method-override'] ?? 'POST').toUpperCase() : (req.method ?? 'GET');
    const route = routeName(method, path);
    calls.set(route, (calls.get(route) ?? 0) + 1);
    const raw = await read(req);
    const fault = faults.take(route);
    const early = fault === undefined ? undefined : beforeWork(fault, req, res);
    if (early === 'handled') return;
    const answer = early ?? authorise(req) ?? (await work(method, path, url, toForm(req, method, raw), fault));
    if (fault === 'cut_after_commit') return void req.socket.destroy();
    reply(res, answer);
    if (faults.isDown()) await api.close();
  }

  function beforeWork(fault: string, req: IncomingMessage, res: ServerResponse): Answer | 'handled' | undefined {
    const html = (code: number, text: string) => {
      res.writeHead(code, { 'content-type': 'text/html' }).end(`<html><body><h1>${text}</h1></body></html>`);
      return 'handled' as const;
    };
    switch (fault) {
      case 'hang':
        return 'handled';
      case 'cut_before':
        req.socket.destroy();
        return 'handled';
      case 'http_500':
        return html(500, 'Internal Server Error');
      case 'http_502':
        return html(502, 'Bad Gateway');
      case 'http_503':
        return html(503, 'Service Unavailable');
      case 'http_429':
        res.writeHead(429, { 'content-type': 'text/html', 'retry-after': '1' }).end('<html>Too many requests</html>');
        return 'handled';
      case 'html_200':
        return html(200, 'Please log in');
      case 'empty_500':
        res.writeHead(500).end();
        return 'handled';
      case 'empty_list':
        return { code: 200, body: [] };
      case 'unauthorized':
        return error(401, 'Invalid API key. Please refer to the documentation.');
      case 'redirect':
        res.writeHead(302, { location: 'http://127.0.0.1:9/login' }).end();
        return 'handled';
      case 'mutex':
        return error(400, 'Unable to acquire the mutex lock, please try again.');
      default:
        return undefined;
    }
  }

  function authorise(req: IncomingMessage): Answer | undefined {
    const key = req.headers['x-api-key'] ?? req.headers['x-mw-public-key'];
    if (key === undefined) return error(400, 'Invalid API request params. Please refer to the documentation.');
    return key === apiKey ? undefined : error(401, 'Invalid API key. Please refer to the documentation.');
  }

  async function work(method: string, path: string, url: URL, form: PhpMap, fault: string | undefined): Promise<Answer> {
    const [, area, listUid, part, last, verb] = path.split('/');
    if (area !== 'lists') return error(404, 'Page not found.');
    if (listUid === undefined) return method === 'GET' ? pageOf(url, lists.map(describeList)) : error(405, 'Only GET requests allowed for this endpoint.');
    const list = lists.find((candidate) => candidate.list_uid === listUid);
    if (!list) return error(404, part === 'subscribers' ? 'The subscribers list does not exist.' : 'The list does not exist.');
    if (part === undefined) return success({ data: { record: describeList(list) } });
    if (part === 'fields') return fields(method, list);
    if (part !== 'subscribers') return error(404, 'Page not found.');
    if (method === 'GET' && last === 'search-by-email') return search(list, url);
    if (method === 'GET' && last === undefined) return listSubscribers(list, url);
    if (method === 'POST' && last === undefined) return create(list, form);
    if (method === 'POST' && last === 'bulk') return bulk(list, form, fault);
    if (method === 'PUT' && last !== undefined) {
      if (verb === 'unsubscribe') form.set('details', new Map([['status', 'unsubscribed']]));
      const found = await updateSubscriber(pool, list.list_id, last, form);
      return found ? success({}) : error(404, 'The subscriber does not exist in this list.');
    }
    if (method === 'DELETE' && last !== undefined) {
      await pool.query('DELETE FROM mw_list_subscriber WHERE list_id = ? AND subscriber_uid = ?', [list.list_id, last]);
      return success({});
    }
    return error(405, 'Only POST/PUT/DELETE requests allowed for this endpoint.');
  }

  async function fields(method: string, list: SandboxList): Promise<Answer> {
    if (method !== 'GET') return error(405, 'Only GET requests allowed for this endpoint.');
    const rows = await fieldsOf(pool, list.list_id);
    const records = rows.map((field) => ({
      field_id: String(field.field_id), tag: field.tag, label: field.label, required: field.required, help_text: null, visibility: 'visible', sort_order: String(field.sort_order),
      type: { name: 'Text', identifier: 'text', description: '' },
    }));
    return success({ data: { records } });
  }

  async function search(list: SandboxList, url: URL): Promise<Answer> {
    const email = url.searchParams.get('EMAIL');
    if (!email) return error(400, 'Please provide the subscriber email address.');
    const found = await findByEmail(pool, list.list_id, email);
    if (!found) return error(404, 'The subscriber does not exist in this list.');
    return success({ data: { subscriber_uid: found.subscriber_uid, status: found.status, date_added: found.date_added } });
  }

  async function listSubscribers(list: SandboxList, url: URL): Promise<Answer> {
    const [rows] = await pool.query<RowDataPacket[]>('SELECT subscriber_uid, email EMAIL, status, source, ip_address, date_added FROM mw_list_subscriber WHERE list_id = ? ORDER BY subscriber_id LIMIT 10000', [list.list_id]);
    return pageOf(url, rows);
  }

  async function create(list: SandboxList, form: PhpMap): Promise<Answer> {
    const [result] = await createSubscribers(pool, list.list_id, [form]);
    if (!result || result.error !== undefined) {
      const taken = result?.error?.includes('exists') === true || result?.error?.includes('blacklisted') === true;
      return error(taken ? 409 : 422, result?.error ?? 'Unable to save the subscriber!');
    }
    faults.noteStored(1);
    const record = { subscriber_uid: result.uid, email: result.email, ip_address: '', source: 'api', date_added: { expression: 'NOW()', params: [] } };
    return { code: 201, body: { status: 'success', data: { record } } };
  }

  async function bulk(list: SandboxList, form: PhpMap, fault: string | undefined): Promise<Answer> {
    const rows = [...(mapAt(form, 'subscribers')?.values() ?? [])].filter((row) => row instanceof Map);
    if (rows.length === 0) return error(400, 'Please provide the subscribers payload.');
    const kept = fault === 'partial_bulk' ? rows.slice(0, Math.ceil(rows.length / 2)) : rows;
    const results = await createSubscribers(pool, list.list_id, kept);
    faults.noteStored(results.filter((result) => result.uid !== undefined).length);
    const records = results.map((result) => {
      const tags = Object.fromEntries([...result.form].filter(([, value]) => typeof value === 'string'));
      return result.uid === undefined ? { data: tags, errors: { EMAIL: result.error } } : { data: { subscriber_uid: result.uid, status: 'confirmed', source: 'api', ip_address: '', ...tags } };
    });
    return success({ data: { records } });
  }

  async function serveControl(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://sandbox');
    const what = `${req.method ?? 'GET'} ${url.pathname}`;
    const body = await read(req);
    if (what === 'POST /faults') {
      const fault = toFault(JSON.parse(body || '{}'));
      if (!fault) return reply(res, { code: 422, body: { error: `fault is one of ${faultKinds.join(', ')}; route is a route name or *` } });
      faults.add(fault);
      if (faults.isDown()) await api.close();
      return reply(res, { code: 201, body: { faults: faults.list() } });
    }
    if (what === 'DELETE /faults') {
      faults.clear();
      await api.open();
      return reply(res, { code: 200, body: { faults: [] } });
    }
    if (what === 'GET /faults') return reply(res, { code: 200, body: { faults: faults.list() } });
    if (what === 'GET /calls') return reply(res, { code: 200, body: Object.fromEntries(calls) });
    if (what === 'GET /truth') return reply(res, { code: 200, body: { lists: await truth(pool, lists) } });
    if (what === 'GET /truth/subscribers') {
      const [rows] = await pool.query<RowDataPacket[]>('SELECT email, subscriber_uid, status, source FROM mw_list_subscriber WHERE list_id = ? ORDER BY subscriber_id', [Number(url.searchParams.get('list_id'))]);
      return reply(res, { code: 200, body: rows });
    }
    if (what === 'DELETE /subscribers') {
      for (const table of ['mw_list_field_value', 'mw_list_subscriber', 'mw_email_blacklist']) await pool.query(`DELETE FROM ${table}`);
      return reply(res, { code: 200, body: {} });
    }
    if (what === 'POST /blacklist') {
      const parsed: unknown = JSON.parse(body || '{}');
      const email = typeof parsed === 'object' && parsed !== null && 'email' in parsed ? String(parsed.email) : '';
      await pool.query("INSERT IGNORE INTO mw_email_blacklist (email, reason, date_added, last_updated) VALUES (?, 'sandbox', NOW(), NOW())", [email]);
      return reply(res, { code: 201, body: {} });
    }
    return reply(res, { code: 404, body: { error: 'POST|GET|DELETE /faults, GET /truth, GET /truth/subscribers?list_id=, GET /calls, DELETE /subscribers, POST /blacklist' } });
  }

  function toForm(req: IncomingMessage, method: string, raw: string): PhpMap {
    const type = String(req.headers['content-type'] ?? '');
    if (type.startsWith('application/x-www-form-urlencoded')) return parseForm(raw, maxInputVars);
    const boundary = /boundary="?([^";]+)/.exec(type)?.[1];
    // A multipart PUT and any JSON body reach PHP as an empty form.
    const empty: PhpMap = new Map();
    return boundary !== undefined && method === 'POST' ? parseMultipart(raw, boundary, maxInputVars) : empty;
  }
}

const success = (body: object): Answer => ({ code: 200, body: { status: 'success', ...body } });
const error = (code: number, text: string): Answer => ({ code, body: { status: 'error', error: text } });
const describeList = (list: SandboxList) => ({
  general: { list_uid: list.list_uid, name: list.name, display_name: list.name, description: list.name },
  defaults: { from_name: 'Sandbox', reply_to: 'reply@sandbox.test', subject: '' },
  notifications: { subscribe: 'no', unsubscribe: 'no', subscribe_to: '', unsubscribe_to: '' },
  company: [],
});

function pageOf(url: URL, records: unknown[]): Answer {
  const perPage = Math.max(1, Number(url.searchParams.get('per_page') ?? 10) || 10);
  const page = Math.max(1, Number(url.searchParams.get('page') ?? 1) || 1);
  const pages = Math.max(1, Math.ceil(records.length / perPage));
  return success({
    data: {
      count: String(records.length), total_pages: pages, current_page: page, next_page: page < pages ? page + 1 : null, prev_page: page > 1 ? page - 1 : null,
      records: records.slice((page - 1) * perPage, page * perPage),
    },
  });
}

function routeName(method: string, path: string): string {
  if (path.endsWith('/subscribers/bulk')) return 'bulk';
  if (path.endsWith('/search-by-email')) return 'search';
  if (path.endsWith('/subscribers')) return method === 'POST' ? 'create' : 'subscribers';
  if (path.includes('/subscribers/')) return method === 'PUT' ? 'update' : 'subscriber';
  return path.endsWith('/fields') ? 'fields' : 'lists';
}

function toFault(value: unknown): Fault | undefined {
  if (typeof value !== 'object' || value === null || !('fault' in value)) return undefined;
  const fault = faultKinds.find((kind) => kind === value.fault);
  const number = (name: string) => {
    const entry: unknown = Object.entries(value).find(([key]) => key === name)?.[1];
    return typeof entry === 'number' ? entry : undefined;
  };
  return fault && { route: 'route' in value ? String(value.route) : '*', fault, count: number('count'), probability: number('probability'), after: number('after') };
}

async function truth(pool: Pool, lists: SandboxList[]) {
  const [rows] = await pool.query<RowDataPacket[]>(
    "SELECT list_id, COUNT(*) subscribers, COUNT(DISTINCT LOWER(email)) distinct_emails, SUM(source = 'api') api, SUM(source = 'web') web, SUM(source = 'import') import FROM mw_list_subscriber GROUP BY list_id",
  );
  return lists.map((list) => {
    const row = rows.find((candidate) => candidate['list_id'] === list.list_id);
    const number = (name: string) => Number(row?.[name] ?? 0);
    return { list_id: list.list_id, list_uid: list.list_uid, name: list.name, subscribers: number('subscribers'), distinct_emails: number('distinct_emails'), by_source: { api: number('api'), web: number('web'), import: number('import') } };
  });
}

function reply(res: ServerResponse, { code, body }: Answer): void {
  res.writeHead(code, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}

async function read(req: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of req) if (Buffer.isBuffer(part)) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

/** A listener that can really be shut: a client then gets "connection refused", as from a server that is down. */
function createDoor(port: number, handler: (req: IncomingMessage, res: ServerResponse) => void) {
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  return {
    open: () =>
      new Promise<void>((resolve, reject) => {
        if (server) return resolve();
        server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, handler);
        server.on('connection', (socket: Socket) => {
          sockets.add(socket);
          socket.once('close', () => sockets.delete(socket));
        });
        server.once('error', reject).listen(port, '127.0.0.1', 1024, resolve);
      }),
    close: () =>
      new Promise<void>((resolve) => {
        const open = server;
        server = undefined;
        if (!open) return resolve();
        open.close(() => resolve());
        // Answers on their way are let out first.
        setTimeout(() => sockets.forEach((socket) => socket.destroy()), 50);
      }),
  };
}
export type { Faults };
