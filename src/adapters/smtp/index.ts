import { randomBytes } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import type { Depth, Verdict } from '../../domain/verdict';
import { createDomainResolver, createSlots } from './dns';
import { probeHost, type ProbeSettings, toVerdict } from './probe';

export type VerifierSettings = ProbeSettings & {
  depth: Depth;
  dnsServers: string[] | undefined;
  dnsTimeoutMs: number;
  allowPrivate: boolean;
  limits: { connections: number; connectionsPerPool: number; recipientsPerConnection: number };
  now: () => number;
};
type Asked = { id: number; email: string; domain: string };
type Judged = { id: number; verdict: Verdict };

const catchAllKeptMs = { yes: 7 * 86_400_000, no: 86_400_000 };
const catchAllKept = 50_000;
const hostsTried = 3;
/** Of the pools that are idle, only their limits are lost when they are forgotten. */
const poolsKept = 10_000;

/** Judges addresses as deep as the settings say. Nothing a remote does makes it throw, and no address harms another. */
export function createVerifier(settings: VerifierSettings) {
  const resolver = createDomainResolver({ servers: settings.dnsServers, timeoutMs: settings.dnsTimeoutMs, now: settings.now });
  const anywhere = createSlots(settings.limits.connections);
  const pools = new Map<string, ReturnType<typeof createSlots>>();
  const catchAll = new Map<string, { answer: 'yes' | 'no'; until: number }>();

  return { verifyAddresses, close: () => resolver.close() };

  async function verifyAddresses(addresses: Asked[], signal?: AbortSignal): Promise<Judged[]> {
    if (settings.depth === 'syntax') return addresses.map(({ id }) => ({ id, verdict: unchecked('syntax') }));
    const byDomain = new Map<string, Asked[]>();
    for (const address of addresses) {
      const of = byDomain.get(address.domain);
      if (of) of.push(address);
      else byDomain.set(address.domain, [address]);
    }
    const judged = await Promise.all([...byDomain].map(([domain, of]) => verifyDomain(domain, of, signal)));
    return judged.flat();
  }

  async function verifyDomain(domain: string, addresses: Asked[], signal?: AbortSignal): Promise<Judged[]> {
    const all = (verdict: Verdict) => addresses.map(({ id }) => ({ id, verdict }));
    if (domain.startsWith('[')) return all({ state: 'unknown', reason: 'address_literal', depth: 'syntax', flags: {}, evidence: { rule: 'address-literal' } });
    const facts = await resolver.resolveMail(domain);
    if ('verdict' in facts) return all({ ...facts.verdict, depth: 'dns', flags: {}, evidence: { rule: facts.rule } });
    if (settings.depth === 'dns') return all(unchecked('dns'));
    const judged: Judged[] = [];
    for (let from = 0; from < addresses.length; from += settings.limits.recipientsPerConnection) {
      signal?.throwIfAborted();
      judged.push(...(await dialogue(domain, facts.hosts, addresses.slice(from, from + settings.limits.recipientsPerConnection))));
    }
    return judged;
  }

  /** The hosts in order: a host that answers for an address has the last word on it; one that fails gives the next its turn. */
  async function dialogue(domain: string, hosts: string[], addresses: Asked[]): Promise<Judged[]> {
    const verdicts = new Map<number, Verdict>();
    for (const host of hosts.slice(0, hostsTried)) {
      const open = addresses.filter(({ id }) => !isFinal(verdicts.get(id)));
      if (open.length === 0) break;
      const peer = await choosePeer(host);
      if (peer === undefined) {
        for (const { id } of open) verdicts.set(id, { state: 'invalid', reason: 'unsafe_mail_server', depth: 'dns', flags: {}, evidence: { rule: 'private-mail-server', host } });
        continue;
      }
      if (peer === 'trouble') {
        for (const { id } of open) verdicts.set(id, { state: 'unknown', reason: 'dns_trouble', depth: 'dns', retry: 'dns', flags: {}, evidence: { rule: 'dns-mx-host-trouble', host } });
        continue;
      }
      const { answers, failed } = await talk(peer, open.map(({ email }) => email));
      for (const { id, email } of open) {
        const answer = answers.get(email) ?? failed;
        if (answer) verdicts.set(id, toVerdict(answer, peer, settings.mailFrom));
      }
      if ([...verdicts.values()].some((verdict) => verdict.reason === 'accepted')) await markCatchAll(domain, peer, verdicts);
      if (!failed || failed.judgement.outcome !== 'nextHost') break;
    }
    const none: Verdict = { state: 'unknown', reason: 'too_many_recipients', depth: 'smtp', retry: 'pool', flags: {}, evidence: { rule: 'not-asked' } };
    return addresses.map(({ id }) => ({ id, verdict: verdicts.get(id) ?? none }));
  }

  /** The real address came first; only now the random one, once per domain. A test that fails leaves the question open. */
  async function markCatchAll(domain: string, peer: { host: string; ip: string }, verdicts: Map<number, Verdict>): Promise<void> {
    const answer = await askCatchAll(domain, peer);
    for (const [id, verdict] of verdicts) {
      if (verdict.reason !== 'accepted') continue;
      const flags = { catchAll: answer };
      if (answer === 'no') verdicts.set(id, { ...verdict, flags });
      else verdicts.set(id, { ...verdict, state: 'risky', reason: answer === 'yes' ? 'catch_all' : 'catch_all_undetermined', flags });
    }
  }

  async function askCatchAll(domain: string, peer: { host: string; ip: string }): Promise<'yes' | 'no' | 'undetermined'> {
    const kept = catchAll.get(domain);
    if (kept && kept.until > settings.now()) return kept.answer;
    const address = `ee-probe-${randomBytes(8).toString('hex')}@${domain}`;
    const { answers } = await talk(peer, [address]);
    const judgement = answers.get(address)?.judgement;
    const answer = judgement?.outcome === 'accepted' ? 'yes' : judgement?.state === 'invalid' ? 'no' : undefined;
    if (answer === undefined) return 'undetermined';
    if (catchAll.size >= catchAllKept) catchAll.clear();
    catchAll.set(domain, { answer, until: settings.now() + catchAllKeptMs[answer] });
    return answer;
  }

  /** Limits hold per pool of mail servers (here: per address), and over all of them. */
  function talk(peer: { host: string; ip: string }, emails: string[]) {
    const pool = pools.get(peer.ip) ?? createSlots(settings.limits.connectionsPerPool);
    if (pools.size >= poolsKept) for (const [ip, { idle }] of pools) if (idle()) pools.delete(ip);
    pools.set(peer.ip, pool);
    return pool.run(() => anywhere.run(() => probeHost(settings, peer, emails)));
  }

  /** An MX may point at a machine of ours: every address is looked at before we connect (verification.md 12). Undefined: none is safe. */
  async function choosePeer(host: string): Promise<{ host: string; ip: string } | 'trouble' | undefined> {
    const found = await resolver.resolveHost(host);
    if (found === 'trouble') return 'trouble';
    const safe = found === 'none' ? [] : found.filter((ip) => settings.allowPrivate || ipaddr.process(ip).range() === 'unicast');
    const ip = safe[0];
    return ip === undefined ? undefined : { host, ip };
  }
}

const isFinal = (verdict: Verdict | undefined) => verdict !== undefined && verdict.depth === 'smtp' && !verdict.evidence.rule.startsWith('connection-');
const unchecked = (depth: Depth): Verdict => ({ state: 'unknown', reason: 'smtp_not_checked', depth, flags: {}, evidence: { rule: 'not-checked' } });
