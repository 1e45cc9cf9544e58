import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import { error } from './answers';
import { buildQuery, type PhpMap } from './form';
import type { Answer } from './router';
import type { Switches } from './switches';

export type Keys = { apiKey: string; publicKey: string; privateKey: string };
export type Signed = { method: string; url: URL; query: PhpMap; form: PhpMap; headers: IncomingHttpHeaders };

const docs = 'Please refer to the documentation.';
const headerOf = (headers: IncomingHttpHeaders, name: string) => {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
};

/** Undefined when the request may come in: by the one key of 2.x in either header, or by a signature of 1.x. */
export function authorise(request: Signed & { address: string }, { keys, switches, now }: { keys: Keys; switches: Switches; now: Date }): Answer | undefined {
  if (switches.maintenance) return error(503, 'Service Unavailable.');
  const refused = checkKey(request, { keys, switches, now });
  if (refused) return refused;
  if (!isAllowed(request.address, switches)) return error(switches.ip_code, 'Your IP address is not allowed to access this server.');
  if (switches.account === 'inactive') return error(switches.invalid_key_code, 'Your account must be active in order to use the API.');
  if (switches.account === 'not_allowed') return error(switches.invalid_key_code, 'Your account is not allowed to use the API.');
  return undefined;
}

function checkKey(request: Signed, { keys, switches, now }: { keys: Keys; switches: Switches; now: Date }): Answer | undefined {
  const key = headerOf(request.headers, 'x-api-key') || headerOf(request.headers, 'x-mw-public-key');
  if (key === '') return error(switches.missing_key_code, `Invalid API request params. ${docs}`);
  if (key === keys.apiKey) return undefined;
  if (key !== keys.publicKey) return error(switches.invalid_key_code, `Invalid API key. ${docs}`);

  const timestamp = headerOf(request.headers, 'x-mw-timestamp');
  const signature = headerOf(request.headers, 'x-mw-signature');
  if (timestamp === '' || (signature === '' && switches.check_signature)) return error(switches.missing_key_code, `Invalid API request params. ${docs}`);
  const ageS = Math.abs(now.getTime() / 1_000 - Number.parseInt(timestamp, 10));
  if (!(ageS <= switches.signature_window_s)) return error(switches.invalid_key_code, `Your request expired. ${docs}`);
  if (!switches.check_signature || isEqual(signature, sign(request, keys.privateKey))) return undefined;
  return switches.bad_signature_answer === 'empty_list' ? { code: 200, body: [] } : error(switches.invalid_key_code, `Invalid API request signature. ${docs}`);
}

/** The rule of the 1.x SDK: verb, address with sorted query, then the sorted X-MW headers and body parameters, in PHP's encoding. */
function sign({ method, url, query, form, headers }: Signed, privateKey: string): string {
  const search = buildQuery(sortKeys(query));
  const address = `${url.origin}${url.pathname.replace(/\/+$/, '')}${search === '' ? '' : `?${search}`}`;
  const signed: PhpMap = new Map([
    ['X-MW-PUBLIC-KEY', headerOf(headers, 'x-mw-public-key')],
    ['X-MW-TIMESTAMP', headerOf(headers, 'x-mw-timestamp')],
    // Signed even when empty, though libcurl then leaves the header out.
    ['X-MW-REMOTE-ADDR', headerOf(headers, 'x-mw-remote-addr')],
    ...form,
  ]);
  const text = `${method} ${address}${search === '' ? '?' : '&'}${buildQuery(sortKeys(signed))}`;
  return createHmac('sha1', privateKey).update(text).digest('hex');
}

const sortKeys = (map: PhpMap): PhpMap => new Map([...map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));

function isEqual(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function isAllowed(address: string, { ip_allow, ip_deny }: Switches): boolean {
  const caller = address.replace(/^::ffff:/, '');
  return !contains(ip_deny, caller) && (ip_allow.length === 0 || contains(ip_allow, caller));
}

function contains(ranges: string[], address: string): boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [net = '', bits] = range.split('/');
    const family = isIPv6(net) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(net, family);
    else list.addSubnet(net, Number(bits), family);
  }
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
