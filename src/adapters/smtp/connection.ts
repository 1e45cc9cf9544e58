import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

export type SmtpReply = { code: number; enhanced: string; text: string };
export class SmtpTrouble extends Error {
  constructor(readonly trouble: 'timeout' | 'refused' | 'cut' | 'protocol') {
    super(trouble);
  }
}

/** A hostile server may talk for ever: more than this is protocol trouble. */
const replyLimit = 64 * 1024;

/** One SMTP connection: commands out, whole replies in, each with its own deadline. */
export async function openSmtp({ ip, port, connectMs }: { ip: string; port: number; connectMs: number }) {
  let socket: Socket | TLSSocket = await dial(ip, port, connectMs);
  let buffer = '';
  let ended: SmtpTrouble | undefined;
  let wake: () => void = () => undefined;
  listen();

  return {
    read,
    /** Several commands in one packet (RFC 2920); every reply is still read. */
    write(...lines: string[]) {
      // A line end inside a command would be a command of its own.
      if (lines.some((line) => /[\r\n]/.test(line))) throw new SmtpTrouble('protocol');
      socket.write(lines.map((line) => `${line}\r\n`).join(''));
    },
    /** Certificates of mail servers are rarely for their names: encryption against listeners, no proof of identity (RFC 7435). */
    async upgrade(timeoutMs: number) {
      const plain = socket;
      plain.removeAllListeners('data').removeAllListeners('error').removeAllListeners('close');
      const secure = connectTls({ socket: plain, rejectUnauthorized: false });
      await settle(secure, 'secureConnect', timeoutMs);
      socket = secure;
      buffer = '';
      listen();
    },
    close: () => socket.destroy(),
  };

  function listen(): void {
    socket.on('data', (data: Buffer) => {
      buffer += data.toString('utf8');
      if (buffer.length > replyLimit) ended = new SmtpTrouble('protocol');
      wake();
    });
    const over = () => {
      ended ??= new SmtpTrouble('cut');
      wake();
    };
    socket.on('error', over).on('close', over).on('end', over);
  }

  async function read(timeoutMs: number): Promise<SmtpReply> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const reply = take();
      if (reply) return reply;
      if (ended) throw ended;
      const left = until - Date.now();
      if (left <= 0) throw new SmtpTrouble('timeout');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** `250-…` lines and the last `250 …`: one reply. */
  function take(): SmtpReply | undefined {
    const end = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r?\n/.exec(buffer);
    if (!end) {
      if (/^(?!\d{3}[ -]|\d{0,3}$)/.test(buffer) && buffer.includes('\n')) throw new SmtpTrouble('protocol');
      return undefined;
    }
    buffer = buffer.slice(end[0].length);
    const lines = end[0].trimEnd().split(/\r?\n/);
    const text = lines.map((line) => line.slice(4)).join('\n');
    return { code: Number(end[0].slice(0, 3)), enhanced: /^([245]\.\d{1,3}\.\d{1,3})\b/.exec(text)?.[1] ?? '', text };
  }
}
export type SmtpConnection = Awaited<ReturnType<typeof openSmtp>>;

async function dial(ip: string, port: number, timeoutMs: number): Promise<Socket> {
  const socket = connect({ host: ip, port });
  await settle(socket, 'connect', timeoutMs);
  return socket;
}

function settle(socket: Socket, event: 'connect' | 'secureConnect', timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (trouble: SmtpTrouble) => {
      clearTimeout(timer);
      socket.on('error', () => undefined).destroy();
      reject(trouble);
    };
    const timer = setTimeout(() => fail(new SmtpTrouble('timeout')), timeoutMs);
    socket.once('error', (error: NodeJS.ErrnoException) => fail(new SmtpTrouble(error.code === 'ECONNREFUSED' ? 'refused' : 'cut')));
    socket.once(event, () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve();
    });
  });
}
