import { classifyReply, type Judgement, type Phase } from '../../domain/reply-rules';
import type { Verdict, VerdictReason } from '../../domain/verdict';
import { openSmtp, type SmtpConnection, type SmtpReply, SmtpTrouble } from './connection';

export type ProbeSettings = {
  port: number;
  heloName: string;
  mailFrom: string;
  timeouts: { connectMs: number; greetingMs: number; commandMs: number; totalMs: number };
};
type Peer = { host: string; ip: string };
type Answer = { judgement: Judgement; reply: SmtpReply | undefined; phase: Phase | 'connect' };
export type ProbeResult = { answers: Map<string, Answer>; /** Asked for nothing: the next host may be tried. */ failed: Answer | undefined };

const troubles = { timeout: 'timeout', refused: 'connection_refused', cut: 'connection_cut', protocol: 'protocol_trouble' } as const satisfies Record<string, VerdictReason>;

/** One connection, one transaction a recipient: greeting, EHLO, STARTTLS, MAIL and RCPT, RSET, never DATA (verification.md 6). */
export async function probeHost(settings: ProbeSettings, peer: Peer, addresses: string[]): Promise<ProbeResult> {
  const { timeouts } = settings;
  const answers = new Map<string, Answer>();
  const until = Date.now() + timeouts.totalMs;
  let phase: Phase | 'connect' = 'connect';
  let connection: SmtpConnection | undefined;
  try {
    connection = await openSmtp({ ip: peer.ip, port: settings.port, connectMs: timeouts.connectMs });
    phase = 'greeting';
    const greeting = await connection.read(timeouts.greetingMs);
    if (greeting.code !== 220) return { answers, failed: judge('greeting', greeting) };
    phase = 'ehlo';
    const hello = await greet(connection, settings);
    if (hello.reply.code !== 250) return { answers, failed: judge('ehlo', hello.reply) };
    for (const [index, address] of addresses.entries()) {
      if (Date.now() > until) throw new SmtpTrouble('timeout');
      if (!isAscii(address) && !hello.offers.has('SMTPUTF8')) {
        answers.set(address, { judgement: { outcome: 'judged', state: 'unknown', reason: 'utf8_not_supported', rule: 'no-smtputf8' }, reply: undefined, phase: 'rcpt' });
        continue;
      }
      phase = 'mail';
      const { mail, rcpt } = await ask(connection, settings, address, { reset: index > 0, pipelined: hello.offers.has('PIPELINING'), utf8: !isAscii(address) });
      if (mail.code !== 250) return { answers, failed: judge('mail', mail) };
      phase = 'rcpt';
      const answer = judge('rcpt', rcpt);
      answers.set(address, answer);
      if (answer.judgement.outcome === 'reconnect' || rcpt.code === 421) return { answers, failed: undefined };
    }
    connection.write('QUIT');
    return { answers, failed: undefined };
  } catch (error) {
    if (!(error instanceof SmtpTrouble)) throw error;
    const judgement: Judgement = { outcome: 'nextHost', state: 'unknown', reason: troubles[error.trouble], retry: 'busy', rule: `connection-${error.trouble}` };
    return { answers, failed: { judgement, reply: undefined, phase } };
  } finally {
    connection?.close();
  }
}

const judge = (phase: Phase, reply: SmtpReply): Answer => ({ judgement: classifyReply({ phase, ...reply }), reply, phase });
const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);

async function greet(connection: SmtpConnection, { heloName, timeouts }: ProbeSettings): Promise<{ reply: SmtpReply; offers: Set<string> }> {
  const hello = await ehlo();
  if (!hello.offers.has('STARTTLS')) return hello;
  connection.write('STARTTLS');
  if ((await connection.read(timeouts.commandMs)).code !== 220) return hello;
  await connection.upgrade(timeouts.commandMs);
  return ehlo(); // what was offered in clear is forgotten (RFC 3207)

  async function ehlo() {
    connection.write(`EHLO ${heloName}`);
    const reply = await connection.read(timeouts.commandMs);
    if (reply.code === 250) return { reply, offers: new Set(reply.text.split('\n').map((line) => line.trim().split(' ')[0]?.toUpperCase() ?? '')) };
    connection.write(`HELO ${heloName}`);
    return { reply: await connection.read(timeouts.commandMs), offers: new Set<string>() };
  }
}

async function ask(connection: SmtpConnection, { mailFrom, timeouts }: ProbeSettings, address: string, how: { reset: boolean; pipelined: boolean; utf8: boolean }) {
  const mailLine = `MAIL FROM:<${mailFrom}>${how.utf8 ? ' SMTPUTF8' : ''}`;
  const rcptLine = `RCPT TO:<${address}>`;
  const read = () => connection.read(timeouts.commandMs);
  if (how.pipelined) {
    connection.write(...(how.reset ? ['RSET'] : []), mailLine, rcptLine);
    if (how.reset) await read();
    const mail = await read();
    return { mail, rcpt: await read() };
  }
  if (how.reset) {
    connection.write('RSET');
    await read();
  }
  connection.write(mailLine);
  const mail = await read();
  if (mail.code !== 250) return { mail, rcpt: mail };
  connection.write(rcptLine);
  return { mail, rcpt: await read() };
}

/** A judgement with its evidence: what was said, by whom, to which sender of ours. */
export function toVerdict({ judgement, reply, phase }: Answer, peer: Peer, mailFrom: string): Verdict {
  const stated = /(?:in|after) (\d{1,4}) ?(second|minute)/i.exec(reply?.text ?? '');
  return {
    state: judgement.state,
    reason: judgement.reason,
    depth: 'smtp',
    ...(judgement.retry && { retry: judgement.retry }),
    ...(stated && judgement.retry && { retryAfterMs: Number(stated[1]) * (stated[2]?.toLowerCase() === 'minute' ? 60_000 : 1_000) }),
    flags: {},
    evidence: {
      rule: judgement.rule,
      host: peer.host,
      ip: peer.ip,
      phase,
      mailFrom,
      ...(reply && { code: reply.code, enhanced: reply.enhanced, text: printable(reply.text) }),
    },
  };
}

/** Their words are data: short, and nothing that a terminal or a page would obey. */
const printable = (text: string) => text.replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ').slice(0, 200).toWellFormed();
