import { randomBytes } from 'node:crypto';
import { createVault } from '../../../src/adapters/vault';

const key = randomBytes(32);
const vault = createVault({ keys: new Map([['k1', key], ['k2', randomBytes(32)]]), currentKid: 'k1' });
const place = 'mailwizz_instances/client-1/api_key';
const contract = expect.objectContaining({ kind: 'contract' });

test('what is sealed opens in its place, and no two seals are alike', () => {
  expect(vault.open(vault.seal('sécret', place), place)).toBe('sécret');
  expect(vault.seal('a', place)).not.toBe(vault.seal('a', place));
});

test('any changed character, and any cut, fails closed', () => {
  const sealed = vault.seal('secret', place);
  for (let at = 0; at < sealed.length; at += 1) {
    const other = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    expect(() => vault.open(other, place)).toThrow(contract);
    expect(() => vault.open(sealed.slice(0, at), place)).toThrow(contract);
  }
});

test('another place, another key and an unknown key fail closed', () => {
  const sealed = vault.seal('secret', place);
  expect(() => vault.open(sealed, 'mailwizz_instances/client-2/api_key')).toThrow(contract);
  expect(() => vault.open(sealed.replace('v1.k1.', 'v1.k2.'), place)).toThrow(contract);
  expect(() => createVault({ keys: new Map(), currentKid: 'k1' }).open(sealed, place)).toThrow(contract);
});

test('a secret sealed under an older key still opens', () => {
  const sealed = vault.seal('secret', place);
  expect(createVault({ keys: new Map([['k1', key], ['k3', randomBytes(32)]]), currentKid: 'k3' }).open(sealed, place)).toBe('secret');
});
