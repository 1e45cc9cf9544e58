import fc from 'fast-check';
import { parseAddress } from '../../src/domain/address';

const good = (raw: string) => {
  const parsed = parseAddress(raw);
  if ('problem' in parsed) throw new Error(`${raw}: ${parsed.problem}`);
  return parsed;
};

test.each([
  [' Jean.Dupont@Example.COM ', 'jean.dupont@example.com', 'Jean.Dupont@example.com'],
  ['a+tag@site.test', 'a+tag@site.test', 'a+tag@site.test'],
  ['info@bücher.example', 'info@xn--bcher-kva.example', 'info@xn--bcher-kva.example'],
  ['E\u0301mile@site.test', '\u00e9mile@site.test', '\u00c9mile@site.test'],
  ['"odd name"@site.test', '"odd name"@site.test', '"odd name"@site.test'],
  ['user@[192.0.2.1]', 'user@[192.0.2.1]', 'user@[192.0.2.1]'],
  ['user@[IPv6:2001:DB8::1]', 'user@[ipv6:2001:db8::1]', 'user@[ipv6:2001:db8::1]'],
])('%j has the key %j and is written to as %j', (raw, normalised, email) => {
  expect(good(raw)).toMatchObject({ normalised, email });
});

test.each([
  [undefined, 'email_missing'],
  ['   ', 'email_missing'],
  [42, 'email_not_text'],
  ['no-at.test', 'email_no_at'],
  ['@site.test', 'email_no_at'],
  ['a@', 'email_domain'],
  ['a@localhost', 'email_domain'],
  ['a@-bad-.test', 'email_domain'],
  ['a@[999.1.1.1]', 'email_domain'],
  ['a@[IPv6:1::2::3]', 'email_domain'],
  ['a@[IPv6:192.0.2.1]', 'email_domain'],
  ['a b@site.test', 'email_local_part'],
  ['a..b@site.test', 'email_local_part'],
  ['a@b@site.test', 'email_local_part'],
  [`${'a'.repeat(65)}@site.test`, 'email_too_long'],
  [`${'a'.repeat(9000)}@site.test`, 'email_too_long'],
  ['a\u0000b@site.test', 'email_control_character'],
  ['a\r\nRCPT TO:<b@c.test>@site.test', 'email_control_character'],
  ['a\ud800@site.test', 'email_not_well_formed'],
])('%j is refused as %s', (raw, problem) => {
  expect(parseAddress(raw)).toEqual({ problem });
});

test('the key of an address is the key of its key, for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), fc.domain(), (local, domain) => {
      const first = parseAddress(`${local}@${domain}`);
      if ('problem' in first) return;
      expect(good(first.normalised).emailHash).toBe(first.emailHash);
      expect(good(first.email).emailHash).toBe(first.emailHash);
    }),
    { numRuns: 2000 },
  );
});
