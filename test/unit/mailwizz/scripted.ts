import type { ServerResponse } from 'node:http';
import { failure, type Handler, listUid, type Seen, startOdd, success } from './support';

export type Person = { uid: string; status: string; fields: Map<string, string> };
/** What goes wrong with one call: the name says before or after the work. Undefined: nothing. */
export type Fault = 'cut_before' | 'cut_after' | 'hang' | 'slow_body' | 'truncated_json' | 'php_warning' | { status: number; html?: boolean; text?: string; headers?: Record<string, string> } | { redirect: string };
export type Script = {
  fault?: (call: Seen, number: number) => Fault | undefined;
  /** PHP's max_input_vars. */
  maxVars?: number;
  shuffle?: boolean;
  /** Rows of a bulk call that are stored and answered. */
  stored?: (email: string, index: number) => boolean;
  answered?: (email: string, index: number) => boolean;
  texts?: { exists: string; blacklisted: string };
  lowerCases?: boolean;
  hasBulk?: boolean;
};

/** A small MailWizz that holds one list in memory: enough to see what is stored when calls and answers get lost. */
export async function startScripted(script: Script = {}) {
  const people = new Map<string, Person>();
  const blacklist = new Set<string>();
  let creates = 0;
  let calls = 0;
  const texts = script.texts ?? { exists: 'The subscriber already exists in this list.', blacklisted: 'This email address is blacklisted.' };

  const handler: Handler = (call, res, req) => {
    const fault = script.fault?.(call, (calls += 1));
    if (fault === 'hang') return;
    if (fault === 'cut_before') return req.socket.destroy();
    if (typeof fault === 'object' && 'redirect' in fault) return res.writeHead(307, { location: fault.redirect }).end();
    if (typeof fault === 'object') return res.writeHead(fault.status, { 'content-type': fault.html ? 'text/html' : 'application/json', ...fault.headers }).end(fault.html ? '<html>no</html>' : (fault.text ?? ''));
    if (fault === 'cut_after') {
      work(call, silent(() => req.socket.destroy()));
      return;
    }
    if (fault) {
      work(call, silent((text) => spoil(fault, text, res)));
      return;
    }
    return work(call, res);
  };
  const odd = await startOdd(handler);
  return { ...odd, people, blacklist, creates: () => creates };

  function work(call: Seen, res: ServerResponse): unknown {
    const path = new URL(call.path, 'http://odd').pathname.replace(/^\/api\/lists/, '');
    const [, list, part, last, verb] = path.split('/');
    if (list !== listUid) return failure(res, 404, 'The list does not exist.');
    if (part === undefined) return success(res, { data: { record: { general: { list_uid: listUid, name: 'L' }, defaults: [] } } });
    if (last === 'bulk') return script.hasBulk === false ? failure(res, 404, 'Page not found.') : bulk(call, res);
    if (last === 'search-by-email') {
      const found = people.get(keyOf(call.query.get('EMAIL') ?? ''));
      return found ? success(res, { data: { subscriber_uid: found.uid, status: found.status, date_added: '2026-01-01 00:00:00' } }) : failure(res, 404, 'The subscriber does not exist in this list.');
    }
    if (call.method === 'POST') return create(call, res);
    const person = [...people.values()].find(({ uid }) => uid === last);
    if (!person) return failure(res, 404, 'The subscriber does not exist in this list.');
    if (call.method === 'PUT' && verb === undefined) for (const [tag, value] of call.form) person.fields.set(tag, value);
    return success(res, { data: { record: { subscriber_uid: person.uid, status: person.status, ...Object.fromEntries(person.fields) } } });
  }

  function bulk(call: Seen, res: ServerResponse): unknown {
    const rows = new Map<string, Map<string, string>>();
    for (const [name, value] of [...call.form].slice(0, script.maxVars ?? 1_000)) {
      const [, row = '', tag = ''] = /^subscribers\[(\d+)\]\[([^\]]+)\]/.exec(name) ?? [];
      rows.set(row, (rows.get(row) ?? new Map()).set(tag, value));
    }
    const records = [...rows.values()].flatMap((fields, index) => {
      const email = fields.get('EMAIL') ?? '';
      if (script.stored && !script.stored(email, index)) return [];
      const error = store(fields);
      if (script.answered && !script.answered(email, index)) return [];
      const EMAIL = script.lowerCases ? email.toLowerCase() : email;
      return [error === undefined ? { data: { subscriber_uid: people.get(keyOf(email))?.uid, EMAIL } } : { data: { EMAIL }, errors: { EMAIL: error } }];
    });
    return success(res, { data: { records: script.shuffle ? records.toSorted((a, b) => (a.data.EMAIL.length * 7 + a.data.EMAIL.charCodeAt(1)) % 5 - (b.data.EMAIL.length * 7 + b.data.EMAIL.charCodeAt(1)) % 5).toReversed() : records } });
  }

  function create({ form }: Seen, res: ServerResponse): unknown {
    const fields = new Map([...form].filter(([name]) => !name.startsWith('details')));
    const error = store(fields);
    if (error !== undefined) return failure(res, error === texts.exists || error === texts.blacklisted ? 409 : 422, error);
    return success(res, { data: { record: { subscriber_uid: people.get(keyOf(fields.get('EMAIL') ?? ''))?.uid, email: fields.get('EMAIL'), date_added: { expression: 'NOW()', params: [] } } } });
  }

  /** Like the real table, it counts every row that was made: a second one of the same address shows in `creates`. */
  function store(fields: Map<string, string>): string | undefined {
    const email = fields.get('EMAIL') ?? '';
    if (!email.includes('@')) return 'Please provide a valid email address.';
    if (blacklist.has(keyOf(email))) return texts.blacklisted;
    if (people.has(keyOf(email))) return texts.exists;
    creates += 1;
    people.set(keyOf(email), { uid: `u${creates}x${email.length}`, status: 'confirmed', fields });
    return undefined;
  }
}

const keyOf = (email: string) => email.toLowerCase();

function spoil(fault: 'slow_body' | 'truncated_json' | 'php_warning', text: string, res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'application/json' });
  if (fault === 'php_warning') res.end(`<br />\n<b>Warning</b>: Undefined index in /index.php on line 1<br />\n${text}`);
  else if (fault === 'truncated_json') res.end(text.slice(0, -20));
  else res.write(text.slice(0, 5));
}

/** Takes the answer away from the caller. */
function silent(then: (text: string) => void): ServerResponse {
  const answer = { writeHead: () => answer, end: (text = '') => then(text) };
  return answer as unknown as ServerResponse;
}
