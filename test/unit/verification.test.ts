import { classifyReply, type Phase } from '../../src/domain/reply-rules';
import { createVerifier } from '../../src/adapters/smtp';
import { sandboxInfo } from '../support/sandbox';

const reply = (line: string, phase: Phase = 'rcpt') => classifyReply({ phase, code: Number(line.slice(0, 3)), enhanced: /\d\.\d+\.\d+/.exec(line)?.[0] ?? '', text: line.slice(4) });

test.each([
  ['250 2.1.5 OK', 'valid', 'accepted'],
  ['252 2.0.0 will try', 'risky', 'cannot_verify'],
  ['550 5.1.1 User unknown', 'invalid', 'mailbox_not_found'],
  ['550 Utilisateur inconnu', 'invalid', 'mailbox_not_found'],
  ['550 5.2.1 disabled', 'invalid', 'mailbox_disabled'],
  ['452 4.2.2 Mailbox full', 'risky', 'mailbox_full'],
  ['552 5.2.2 over quota', 'risky', 'mailbox_full'],
  ['451 4.7.1 Greylisted, try again in 5 minutes', 'unknown', 'greylisted'],
  ['450 4.2.0 Try again later', 'unknown', 'greylisted'],
  ['450 busy', 'unknown', 'mailbox_busy'],
  ['421 4.3.2 closing', 'unknown', 'host_busy'],
  ['550 5.7.1 no such user here', 'unknown', 'policy'],
  ['550 5.7.606 Access denied, banned sending IP', 'unknown', 'policy'],
  ['550 blocked using zen.spamhaus.org', 'unknown', 'blocked'],
  ['554 5.7.1 rejected', 'unknown', 'policy'],
  ['553 5.1.8 Sender address rejected', 'unknown', 'policy'],
  ['550 5.4.1 Recipient address rejected: Access denied', 'invalid', 'mailbox_not_found'],
  ['452 4.5.3 too many recipients', 'unknown', 'too_many_recipients'],
  ['550 6.7.9 x', 'unknown', 'utf8_not_supported'],
])('at RCPT, "%s" is %s: %s', (line, state, reason) => {
  if (reason === 'utf8_not_supported') line = line.replace('6.7.9', '5.6.7');
  expect(reply(line)).toMatchObject({ state, reason });
});

test.each(['ehlo', 'mail', 'greeting'] as const)('before RCPT (%s) a refusal is about us and never invalid, but for "no mail here"', (phase) => {
  for (let code = 400; code < 600; code += 1) {
    if (phase === 'greeting' && (code === 521 || code === 556)) continue;
    expect(reply(`${code} 5.1.1 User unknown`, phase).state).toBe('unknown');
  }
});

test('no 4xx makes an address invalid unless it quotes a 5xx', () => {
  for (let code = 400; code < 500; code += 1) expect(reply(`${code} 4.0.0 something`).state).not.toBe('invalid');
  expect(reply('450 4.1.1 undeliverable address: host said: 550 5.1.1 unknown')).toMatchObject({ state: 'invalid' });
});

const verifier = (depth: 'dns' | 'smtp') => {
  const { dns, smtp_port } = sandboxInfo();
  return createVerifier({
    depth, dnsServers: [dns], dnsTimeoutMs: 1_000, allowPrivate: true, port: smtp_port, heloName: 'test.engine.test', mailFrom: 'verify@engine.test',
    timeouts: { connectMs: 2_000, greetingMs: 2_000, commandMs: 2_000, totalMs: 10_000 }, limits: { connections: 20, connectionsPerPool: 5, recipientsPerConnection: 10 }, now: Date.now,
  });
};

test.each([
  ['someone@site-1.example', 'valid', 'accepted', undefined],
  ['nobody@site-1.example', 'invalid', 'mailbox_not_found', undefined],
  ['full@site-1.example', 'risky', 'mailbox_full', undefined],
  ['policy@site-1.example', 'unknown', 'policy', 'provider'],
  ['x@catchall-1.test', 'risky', 'catch_all', undefined],
  ['x@blocked-1.test', 'unknown', 'blocked', 'provider'],
  ['x@greylist-1.test', 'unknown', 'greylisted', 'greylist'],
  ['x@down-1.test', 'unknown', 'connection_refused', 'busy'],
  ['x@implicit-1.test', 'valid', 'accepted', undefined],
  ['x@nxdomain-1.test', 'invalid', 'no_such_domain', undefined],
  ['x@nullmx-1.test', 'invalid', 'null_mx', undefined],
  ['x@nomx-1.test', 'invalid', 'no_mail_server', undefined],
  ['x@mxdead-1.test', 'invalid', 'mail_server_not_found', undefined],
  ['x@servfail-1.test', 'unknown', 'dns_trouble', 'dns'],
])('%s, asked for real, is %s: %s', async (email, state, reason, retry) => {
  const asked = verifier('smtp');
  const [judged] = await asked.verifyAddresses([{ id: 1, email, domain: email.split('@')[1]! }]);
  asked.close();
  expect(judged!.verdict).toMatchObject({ state, reason, ...(retry && { retry }) });
  expect(judged!.verdict.retry).toBe(retry);
});

test('a mail server on a private address is never connected to unless allowed', async () => {
  const { dns, smtp_port } = sandboxInfo();
  const strict = createVerifier({
    depth: 'smtp', dnsServers: [dns], dnsTimeoutMs: 1_000, allowPrivate: false, port: smtp_port, heloName: 'test.engine.test', mailFrom: 'verify@engine.test',
    timeouts: { connectMs: 2_000, greetingMs: 2_000, commandMs: 2_000, totalMs: 10_000 }, limits: { connections: 20, connectionsPerPool: 5, recipientsPerConnection: 10 }, now: Date.now,
  });
  const [judged] = await strict.verifyAddresses([{ id: 1, email: 'a@site-1.example', domain: 'site-1.example' }]);
  strict.close();
  expect(judged!.verdict).toMatchObject({ reason: 'unsafe_mail_server', depth: 'dns' });
});
