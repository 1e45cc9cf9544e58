import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { EngineError } from '../../domain/errors';

/** Addresses that only an operator's word opens (reliability.md 3.3); an IPv4 in an IPv6 coat counts as what it is. */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}

/** The address to connect to: every address of the name is checked, and the checked one is used, so that a second answer cannot differ. */
export async function resolveGuarded(host: string, allowPrivate: boolean): Promise<string> {
  const bare = host.replace(/^\[|\]$/g, '');
  // In plain form: what we checked must not be read as another address further down (`0177.0.0.1`, `2130706433`).
  const found = ipaddr.isValid(bare) ? [{ address: ipaddr.process(bare).toString() }] : await lookup(bare, { all: true });
  const first = found[0];
  if (!first) throw new EngineError('unavailable', 'the host has no address');
  if (!allowPrivate && found.some(({ address }) => !isPublicAddress(address))) {
    throw new EngineError('refused', 'the host lies in a private network and the instance is not allowed one');
  }
  return first.address;
}
