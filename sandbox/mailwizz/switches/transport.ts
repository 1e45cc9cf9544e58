import { isIP } from 'node:net';
import { z } from 'zod';

const flag = (otherwise: boolean) => z.boolean().default(otherwise);
const ranges = z.array(z.string().max(50).refine(isRange, 'an address or CIDR range')).max(100).default([]);
const code = (...codes: [number, ...number[]]) => z.literal(codes).default(codes[0]);

/** How requests are judged before they reach a resource, and what is not documented about codes and pages. */
export const transportSwitches = {
  missing_key_code: code(400, 401, 403).describe('code when no key is sent'),
  invalid_key_code: code(401, 400, 403).describe('code of a wrong key, signature or timestamp'),
  check_signature: flag(true).describe('1.x requests must be signed; off: public key and timestamp suffice'),
  bad_signature_answer: z.enum(['error', 'empty_list']).default('error').describe('a bad signature is refused in words, or silently with `[]` and 200'),
  signature_window_s: z.int().min(1).max(86_400).default(900).describe('seconds a 1.x timestamp may differ from our clock'),
  account: z.enum(['active', 'inactive', 'not_allowed']).default('active').describe('state of the customer: not active, or not allowed to use the API'),
  ip_allow: ranges.describe('addresses or CIDR ranges that may call; empty: all'),
  ip_deny: ranges.describe('addresses or CIDR ranges that may not call'),
  ip_code: code(403, 401, 400).describe('code of a refused address'),
  denied_routes: z.array(z.string().max(100)).max(200).default([]).describe('route names (GET /routes) the key has no permission for'),
  permission_code: code(403, 401, 400).describe('code of a missing permission'),
  maintenance: flag(false).describe('every call is answered 503 `Service Unavailable.`'),
  wrong_verb_code: code(405, 400).describe('code of a wrong verb on a known path'),
  blocked_verbs: z.array(z.enum(['PUT', 'DELETE'])).default([]).describe('verbs the web server refuses with 403 HTML; X-HTTP-Method-Override on POST gets through'),
  method_override: flag(true).describe('X-HTTP-Method-Override is honoured on POST'),
  multipart_put: flag(false).describe('multipart PUT bodies are read; off: they count as empty'),
  json_body: flag(false).describe('JSON bodies are read; off: they count as empty'),
  max_input_vars: z.int().min(1).max(1_000_000).default(1_000).describe('variables of a form beyond this number are dropped in silence'),
  etag: flag(true).describe('GET answers carry an ETag, If-None-Match gives 304'),
  validation_code: code(422, 400).describe('code of a refused field'),
  quota_code: code(403, 400, 409, 422).describe('code of a plan quota that is used up'),
  create_code: code(201, 200).describe('code of a creating POST'),
  per_page_max: z.int().min(0).max(1_000_000).default(0).describe('per_page is cut to this; 0: as asked'),
  page_past_end: z.enum(['empty', 'last', 'not_found']).default('empty').describe('answer to a page past the end: no records, the last page, or 404'),
  customer_timezone: z.string().max(50).refine(isTimezone, 'an IANA time zone').default('UTC').describe('time zone of the customer, for send_at and display dates'),
  display_locale: z.string().max(20).refine(isLocale, 'a locale').default('en-US').describe('locale of display dates: en-US gives 2/24/21, 11:38 PM'),
  database_offset_minutes: z.int().min(-840).max(840).default(0).describe('what the application’s own connection adds to UTC when it writes NOW()'),
};

function isRange(text: string): boolean {
  const [net = '', bits = '0', more] = text.split('/');
  const family = isIP(net);
  return family > 0 && more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}

function isLocale(name: string): boolean {
  try {
    return Intl.getCanonicalLocales(name).length === 1;
  } catch {
    return false;
  }
}
