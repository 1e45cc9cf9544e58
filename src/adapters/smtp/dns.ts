import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Verdict } from '../../domain/verdict';

/** What the DNS says about a domain's mail: hosts in order, or why there are none. */
export type DomainFacts = { hosts: string[] } | { verdict: Pick<Verdict, 'state' | 'reason' | 'retry'>; rule: string };
type Kept<T> = { value: T; until: number };

const day = 86_400_000;
const keepMs = { good: 6 * 3_600_000, negative: 600_000, trouble: 30_000 };
const keptAtMost = 50_000;
/** More questions in flight make resolvers drop answers (verification.md 5). */
const questionsAtOnce = 32;

const noData = new Set(['ENODATA', 'NODATA']);
const noName = new Set(['ENOTFOUND', 'NOTFOUND']);

/** Own resolver with servers, time limit and cache: node's own look-up blocks a small thread pool and keeps nothing. */
export function createDomainResolver({ servers, timeoutMs, now }: { servers: string[] | undefined; timeoutMs: number; now: () => number }) {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
  if (servers) resolver.setServers(servers);
  const domains = new Map<string, Kept<Promise<DomainFacts>>>();
  const hosts = new Map<string, Kept<Promise<string[] | 'none' | 'trouble'>>>();
  const slots = createSlots(questionsAtOnce);

  return { resolveMail, resolveHost, close: () => resolver.cancel() };

  /** Coalesced and cached. Never throws: trouble is an answer. */
  function resolveMail(domain: string): Promise<DomainFacts> {
    return keep(domains, domain, () => askMail(domain), (facts) => ('hosts' in facts ? keepMs.good : facts.verdict.state === 'invalid' ? keepMs.negative : keepMs.trouble));
  }

  /** Addresses of a mail host: its A and AAAA records. */
  function resolveHost(host: string): Promise<string[] | 'none' | 'trouble'> {
    return keep(hosts, host, () => askAddresses(host), (found) => (found === 'trouble' ? keepMs.trouble : found === 'none' ? keepMs.negative : keepMs.good));
  }

  function keep<T>(cache: Map<string, Kept<Promise<T>>>, key: string, ask: () => Promise<T>, ageOf: (value: T) => number): Promise<T> {
    const kept = cache.get(key);
    if (kept && kept.until > now()) return kept.value;
    if (cache.size >= keptAtMost) cache.clear();
    const entry: Kept<Promise<T>> = { value: ask(), until: now() + day };
    cache.set(key, entry);
    void entry.value.then((value) => {
      entry.until = now() + ageOf(value);
    });
    return entry.value;
  }

  async function askMail(domain: string): Promise<DomainFacts> {
    try {
      const found = await slots.run(() => resolver.resolveMx(domain));
      const real = found.filter((record) => record.exchange !== '' && record.exchange !== '.');
      if (real.length === 0 && found.length > 0) return final('null_mx', 'dns-null-mx');
      return found.length === 0 ? await askImplicit(domain) : await checkHosts(inOrder(real).map((record) => record.exchange.toLowerCase().replace(/\.$/, '')));
    } catch (error) {
      const code = codeOf(error);
      if (noName.has(code)) return final('no_such_domain', 'dns-nxdomain');
      // Any other failure must not be papered over by the address record.
      return noData.has(code) ? askImplicit(domain) : trouble('dns-mx-trouble');
    }
  }

  /** No MX but an address: the domain itself is its mail server, preference 0 (RFC 5321 5.1). */
  async function askImplicit(domain: string): Promise<DomainFacts> {
    const found = await resolveHost(domain);
    if (found === 'trouble') return trouble('dns-address-trouble');
    return found === 'none' ? final('no_mail_server', 'dns-no-mail-server') : { hosts: [domain] };
  }

  /** All hosts without address: no mail gets there. One that could not be asked leaves it open. */
  async function checkHosts(names: string[]): Promise<DomainFacts> {
    const usable: string[] = [];
    let troubled = false;
    for (const name of names.slice(0, 10)) {
      if (isIP(name) !== 0 || name === 'localhost') continue; // never connected to (verification.md 12)
      const found = await resolveHost(name);
      if (found === 'trouble') troubled = true;
      else if (found !== 'none') usable.push(name);
    }
    if (usable.length > 0) return { hosts: usable };
    if (troubled) return trouble('dns-mx-host-trouble');
    return names.every((name) => isIP(name) !== 0 || name === 'localhost') ? final('unsafe_mail_server', 'dns-unsafe-mx') : final('mail_server_not_found', 'dns-mx-hosts-gone');
  }

  async function askAddresses(host: string): Promise<string[] | 'none' | 'trouble'> {
    const answers = await Promise.allSettled([slots.run(() => resolver.resolve4(host)), slots.run(() => resolver.resolve6(host))]);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length > 0) return found;
    const failed = answers.some((answer) => answer.status === 'rejected' && !noData.has(codeOf(answer.reason)) && !noName.has(codeOf(answer.reason)));
    return failed ? 'trouble' : 'none';
  }
}

const final = (reason: Verdict['reason'], rule: string): DomainFacts => ({ verdict: { state: 'invalid', reason }, rule });
const trouble = (rule: string): DomainFacts => ({ verdict: { state: 'unknown', reason: 'dns_trouble', retry: 'dns' }, rule });
const codeOf = (error: unknown) => (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '');

/** By preference; equal ones in any order, so that no host gets all of it. */
function inOrder<T extends { priority: number }>(records: T[]): T[] {
  return records
    .map((record) => ({ record, dice: Math.random() }))
    .sort((a, b) => a.record.priority - b.record.priority || a.dice - b.dice)
    .map(({ record }) => record);
}

/** At most `limit` side by side; the rest waits its turn. */
export function createSlots(limit: number) {
  const waiting: (() => void)[] = [];
  let taken = 0;
  return { run, idle: () => taken === 0 };

  async function run<T>(work: () => Promise<T>): Promise<T> {
    if (taken >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else taken += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else taken -= 1;
    }
  }
}
