import { z } from 'zod';

/** Every fault with its meaning; the answer-like ones come instead of the work, or after it with `after_commit`. */
export const faultMeanings = {
  hang: 'no answer at all, the connection stays open',
  cut_before: 'the connection is cut, nothing was done',
  cut_after_commit: 'the work is done, then the connection is cut',
  slow_body: 'the work is done, the body comes at 1 byte per second',
  cut_body: 'the work is done, the connection is cut in the middle of the body',
  truncated_json: 'the work is done, the JSON ends in the middle',
  php_warning: 'the work is done, a PHP warning stands before the JSON',
  delay: 'the work is done after `ms` milliseconds',
  http_500: '500 as HTML',
  http_502: '502 as HTML',
  http_503: '503 as HTML',
  http_504: '504 as HTML',
  http_403: '403 as HTML, as a web server or WAF sends it',
  http_429: '429 as HTML, with `retry_after`',
  json_429: '429 as JSON, with `retry_after`',
  html_200: '200 with a login page',
  empty_200: '200 without a body',
  empty_500: '500 without a body',
  empty_list: '200 with `[]`',
  foreign_json: '200 with the JSON of something else',
  unauthorized: '401: the key is wrong',
  forbidden: '403 as JSON: no permission',
  redirect: '`status` (302) to `location`',
  exists: '409: the subscriber exists; `text` in another language',
  blacklisted: '409: the address is blacklisted; `text` in another language',
  mutex: '400: the mutex could not be taken',
  list_gone: '404: the list does not exist',
  max_input_vars: 'the form is cut after `vars` variables (1000)',
  partial_bulk: 'only the first half of a bulk call is read',
  row_errors: 'a `share` (0.3) of the rows of a bulk call gets an error entry',
  shuffled_bulk: 'the records of a bulk answer come in another order',
  stall: 'a bulk call stops for `ms` (30000) after `rows` (10) rows were stored; what is left is stored only if the client still waits',
  rate_limit: '429 for every call above `per_second`',
  down: 'the API refuses connections',
  mysql_down: 'the MySQL user of the instance is locked out and its connections are killed',
} as const;

const kinds = Object.keys(faultMeanings);
export type FaultKind = keyof typeof faultMeanings;
const isKind = (kind: unknown): kind is FaultKind => typeof kind === 'string' && kinds.includes(kind);

const settings = z.object({
  /** The work is done before the fault answers. */
  after_commit: z.boolean().optional(),
  status: z.literal([301, 302, 307, 308]).optional(),
  location: z.string().max(2_000).optional(),
  /** Seconds, `date+N` for a date N seconds ahead, or null for no header. */
  retry_after: z.union([z.int().min(0).max(86_400), z.string().regex(/^date\+\d{1,5}$/), z.null()]).optional(),
  text: z.string().max(500).optional(),
  share: z.number().min(0).max(1).optional(),
  rows: z.int().min(0).max(1_000_000).optional(),
  vars: z.int().min(0).max(1_000_000).optional(),
  ms: z.int().min(0).max(600_000).optional(),
  per_second: z.number().positive().max(100_000).optional(),
});
export type FaultSettings = z.infer<typeof settings>;
const faultBody = z.strictObject({
  route: z.string().max(100).default('*'),
  fault: z.custom<FaultKind>(isKind, 'an unknown fault'),
  /** How many calls it hits; without it, all. */
  count: z.int().min(0).optional(),
  probability: z.number().min(0).max(1).optional(),
  /** It begins once so many more subscribers have been stored. */
  after: z.int().min(0).optional(),
  ...settings.shape,
});
export type Fault = z.infer<typeof faultBody>;
export const parseFault = (body: unknown) => faultBody.safeParse(body);

/** These are states of the whole instance, not of a call. */
const states: readonly FaultKind[] = ['down', 'mysql_down'];

/** Faults switched on from outside: per route or `*`, a number of times or with a probability, from the n-th stored subscriber on. */
export function createFaults(random: () => number, now: () => number = Date.now) {
  let active: { fault: Fault; left: number; from: number; recent: number[] }[] = [];
  let stored = 0;
  const hasBegun = (entry: { from: number }) => stored >= entry.from;

  return {
    add: (fault: Fault) => void active.push({ fault, left: fault.count ?? Number.POSITIVE_INFINITY, from: fault.after === undefined ? 0 : fault.after + stored, recent: [] }),
    clear: () => {
      active = [];
    },
    list: () => active.map(({ fault, left }) => ({ ...fault, ...(Number.isFinite(left) && { left }) })),
    noteStored: (count: number) => {
      stored += count;
    },
    /** The fault that hits this call; taking it uses one up. */
    take(route: string): Fault | undefined {
      const hit = active.find((entry) => {
        const { fault, left } = entry;
        if (states.includes(fault.fault) || left <= 0 || !hasBegun(entry) || (fault.route !== '*' && fault.route !== route)) return false;
        if (fault.fault === 'rate_limit' && !isOver(entry.recent, fault.per_second ?? 1)) return false;
        return random() < (fault.probability ?? 1);
      });
      if (hit) hit.left -= 1;
      return hit?.fault;
    },
    isOn: (state: 'down' | 'mysql_down') => active.some((entry) => entry.fault.fault === state && hasBegun(entry)),
  };

  /** Calls that were let through in the last second count, refused ones do not. */
  function isOver(recent: number[], perSecond: number): boolean {
    const at = now();
    while ((recent[0] ?? at) <= at - 1_000) recent.shift();
    if (recent.length >= perSecond) return true;
    recent.push(at);
    return false;
  }
}
export type Faults = ReturnType<typeof createFaults>;
