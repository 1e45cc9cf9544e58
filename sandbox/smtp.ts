import { createServer, type Server, type Socket } from 'node:net';
import { farm } from './dns';

type Kind = Exclude<keyof typeof farm, 'down'>;
export type SmtpFarm = { port: number; counters: () => Record<string, number>; stop: () => Promise<void> };

/** What a mailbox answers on an ordinary server: the word its name begins with decides. */
const mailboxes: [string, string][] = [
  ['nobody', '550 5.1.1 User unknown'],
  ['unknown', '550 5.1.1 User unknown'],
  ['ee-probe-', '550 5.1.1 User unknown'],
  ['full', '452 4.2.2 Mailbox full'],
  ['disabled', '550 5.2.1 Mailbox disabled'],
  ['policy', '550 5.7.1 Message refused by policy'],
  ['tempfail', '450 4.2.0 Try again later'],
];

/** One SMTP port on several loopback addresses, each with its own behaviour (see dns.ts). No mail is ever taken: DATA is refused. */
export async function startSmtp({ port, greylistMs }: { port: number; greylistMs: number }): Promise<SmtpFarm> {
  const counters: Record<string, number> = { connections: 0, rcpt: 0, data: 0 };
  const firstSeen = new Map<string, number>();
  const servers: Server[] = [];
  let bound = port;
  for (const kind of ['site', 'greylist', 'catchall', 'blocked'] as const) {
    const server = createServer((socket) => converse(socket, kind));
    bound = await listen(server, bound, farm[kind]);
    servers.push(server);
  }
  return {
    port: bound,
    counters: () => ({ ...counters }),
    stop: async () => {
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };

  function converse(socket: Socket, kind: Kind): void {
    counters['connections'] = (counters['connections'] ?? 0) + 1;
    socket.setTimeout(60_000, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    if (kind === 'blocked') return void socket.end('554 5.7.1 Service unavailable; client host blocked using zen.spamhaus.org\r\n');
    socket.write('220 mx.farm.test ESMTP sandbox\r\n');
    let buffer = '';
    let sender = '';
    socket.on('data', (data) => {
      buffer += data.toString('utf8');
      const lines = buffer.split('\r\n');
      buffer = lines.pop() ?? '';
      socket.write(lines.map(answer).join(''));
    });

    function answer(line: string): string {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'EHLO') return '250-mx.farm.test\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8\r\n';
      if (verb === 'HELO') return '250 mx.farm.test\r\n';
      if (verb === 'RSET' || verb === 'NOOP') return '250 2.0.0 OK\r\n';
      if (verb === 'MAIL') {
        sender = line.slice(10);
        return '250 2.1.0 OK\r\n';
      }
      if (verb === 'RCPT') {
        counters['rcpt'] = (counters['rcpt'] ?? 0) + 1;
        return `${judge(/<([^>]*)>/.exec(line)?.[1] ?? '')}\r\n`;
      }
      if (verb === 'DATA') {
        counters['data'] = (counters['data'] ?? 0) + 1;
        return '554 5.5.1 No mail here\r\n';
      }
      if (verb === 'QUIT') {
        setImmediate(() => socket.end());
        return '221 2.0.0 Bye\r\n';
      }
      return '502 5.5.2 Unknown command\r\n';
    }

    function judge(address: string): string {
      if (kind === 'catchall') return '250 2.1.5 OK';
      if (kind === 'greylist') {
        const key = `${sender} ${address}`;
        const seen = firstSeen.get(key) ?? Date.now();
        firstSeen.set(key, seen);
        if (Date.now() - seen < greylistMs) return '451 4.7.1 Greylisted, please try again later';
      }
      return mailboxes.find(([word]) => address.startsWith(word))?.[1] ?? '250 2.1.5 OK';
    }
  }
}

const listen = (server: Server, port: number, host: string) =>
  new Promise<number>((resolve, reject) => {
    server.once('error', reject).listen(port, host, 1024, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
