import { createSocket } from 'node:dgram';
import { type Answer, decode, encode, type Packet } from 'dns-packet';

/** Each behaviour of the mail farm has its own loopback address, so that one SMTP port serves them all. */
export const farm = { site: '127.0.1.1', greylist: '127.0.1.2', catchall: '127.0.1.3', blocked: '127.0.1.4', down: '127.0.1.5' } as const;
const ttl = 300;

type Reply = { code: 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL'; answers: Answer[] } | undefined;

/**
 * Authoritative for everything; the first word of the name decides, `site-7.example` being an ordinary domain:
 * nxdomain- no such name · servfail- SERVFAIL · timeout- no answer · nullmx- "MX 0 ." · implicit- no MX but an address · nomx- nothing at all ·
 * mxdead- an MX whose host does not exist · greylist- catchall- blocked- down- an MX at that address of the farm · anything else under .example
 * and .test: an MX at the ordinary one · other names: no such name.
 */
export function answerQuestion(name: string, type: string): Reply {
  const lower = name.toLowerCase();
  const kind = /^([a-z]+)-/.exec(lower)?.[1] ?? 'site';
  const ours = lower.endsWith('.example') || lower.endsWith('.test');
  const host = /^mx-([a-z]+)\.farm\.test$/.exec(lower)?.[1];
  if (host !== undefined) return address(name, type, host);
  if (!ours || kind === 'nxdomain' || lower.startsWith('gone.')) return { code: 'NXDOMAIN', answers: [] };
  if (kind === 'servfail') return { code: 'SERVFAIL', answers: [] };
  if (kind === 'timeout') return undefined;
  if (kind === 'nomx') return { code: 'NOERROR', answers: [] };
  if (kind === 'implicit') return address(name, type, 'site');
  if (type !== 'MX') return { code: 'NOERROR', answers: [] };
  if (kind === 'nullmx') return mx(name, 0, '.');
  if (kind === 'mxdead') return mx(name, 10, 'gone.farm.test');
  return mx(name, 10, `mx-${kind in farm ? kind : 'site'}.farm.test`);
}

const mx = (name: string, preference: number, exchange: string): Reply => ({ code: 'NOERROR', answers: [{ type: 'MX', name, ttl, data: { preference, exchange } }] });

function address(name: string, type: string, kind: string): Reply {
  const ip = Object.entries(farm).find(([known]) => known === kind)?.[1];
  if (ip === undefined) return { code: 'NXDOMAIN', answers: [] };
  return { code: 'NOERROR', answers: type === 'A' ? [{ type: 'A', name, ttl, data: ip }] : [] };
}

const codes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;

/** A DNS server on loopback over UDP. */
export function startDns(port: number): Promise<{ address: string; queries: () => number; stop: () => Promise<void> }> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
  let queries = 0;
  socket.on('message', (message, from) => {
    queries += 1;
    const query = read(message);
    const question = query?.questions?.[0];
    if (!query || !question) return;
    const reply = answerQuestion(question.name, question.type);
    if (!reply) return;
    const response = encode({ type: 'response', id: query.id ?? 0, flags: 0x0580 | codes[reply.code], questions: [question], answers: reply.answers });
    socket.send(response, from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, '127.0.0.1', () =>
      resolve({ address: `127.0.0.1:${socket.address().port}`, queries: () => queries, stop: () => new Promise((closed) => socket.close(() => closed())) }),
    );
  });
}

function read(message: Buffer): Packet | undefined {
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}
