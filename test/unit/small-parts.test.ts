import { loadConfig } from '../../src/config';
import { toFailure } from '../../src/activities/failures';
import { createVault } from '../../src/adapters/vault';
import { isPublicAddress } from '../../src/adapters/mailwizz/guard';
import { toCsvLine } from '../../src/api/csv';
import { toProblem } from '../../src/api/errors';
import { makeApiKey, parseApiKey } from '../../src/api/keys';
import { EngineError, type ErrorKind, errorKinds } from '../../src/domain/errors';

const needed = { DATABASE_URL: 'postgres://a@b/c', TEMPORAL_ADDRESS: 'localhost:7233' };
test('every wrong setting is named in one list', () => {
  expect(() => loadConfig({ PORT: 'x', VERIFICATION_DEPTH: 'smtp', SMTP_ALLOW_PRIVATE: 'yes', SMTP_GREYLIST_WAITS: 'soon' })).toThrow(
    expect.objectContaining({ lines: expect.arrayContaining([expect.stringMatching(/^DATABASE_URL /), expect.stringMatching(/^TEMPORAL_ADDRESS /), expect.stringMatching(/^PORT /), expect.stringMatching(/^SMTP_ALLOW_PRIVATE /), expect.stringMatching(/^SMTP_GREYLIST_WAITS /), expect.stringMatching(/^SMTP_HELO_NAME /), expect.stringMatching(/^SMTP_MAIL_FROM /)]) }),
  );
});
test('"false" is false, and durations are read with their units', () => {
  const config = loadConfig({ ...needed, SMTP_ALLOW_PRIVATE: 'false', SMTP_GREYLIST_WAITS: '5m, 500ms,1h' });
  expect(config.verification.allowPrivate).toBe(false);
  expect(config.waits.greylist).toEqual([300_000, 500, 3_600_000]);
});

test('a key parses back, and one wrong letter makes it no key', () => {
  const { text, parsed } = makeApiKey('src');
  expect(parseApiKey(text)).toEqual(parsed);
  const changed = `${text.slice(0, 30)}${text[30] === 'a' ? 'b' : 'a'}${text.slice(31)}`;
  expect(parseApiKey(changed)).toBeUndefined();
});

test('a sealed secret opens at its own place only, and not when a bit has flipped', () => {
  const vault = createVault({ keys: new Map([['k1', Buffer.alloc(32, 1)]]), currentKid: 'k1' });
  const sealed = vault.seal('secret', 'table/row/column');
  expect(sealed).not.toContain('secret');
  expect(vault.open(sealed, 'table/row/column')).toBe('secret');
  expect(() => vault.open(sealed, 'table/other/column')).toThrow(EngineError);
  const parts = sealed.split('.');
  parts[3] = parts[3]!.replace(/^./, (letter) => (letter === 'A' ? 'B' : 'A'));
  expect(() => vault.open(parts.join('.'), 'table/row/column')).toThrow(EngineError);
});

test.each(['127.0.0.1', '10.1.2.3', '169.254.1.1', '::1', '::ffff:127.0.0.1', 'fd00::1', '0.0.0.0', '100.64.0.1', '64:ff9b::7f00:1', '2002:7f00:1::'])('%s is not a public address', (address) => expect(isPublicAddress(address)).toBe(false));
test('an ordinary address is public', () => expect(isPublicAddress('93.184.216.34')).toBe(true));

test('a cell that a spreadsheet would run is quoted', () => expect(toCsvLine(['=1+1', 'a,"b"', null, 3])).toBe(`'=1+1,"a,""b""",,3\r\n`));

test.each(Object.keys(errorKinds) as ErrorKind[])('%s keeps its retry rule and its status', (kind) => {
  expect(toFailure(new EngineError(kind, 'm'))).toMatchObject({ type: kind, nonRetryable: !errorKinds[kind].retry });
  expect(toProblem(new EngineError(kind, 'm')).status).toBe(errorKinds[kind].status);
});
test('what an unexpected error says never leaves: only its class and code do', () => {
  const error = Object.assign(new Error('duplicate key jean@site.test'), { code: '23505' });
  expect(JSON.stringify(toFailure(error))).not.toContain('jean@');
  expect(JSON.stringify(toProblem(error))).not.toContain('jean@');
});
