import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { EngineError } from '../../domain/errors';

/** Addresses that only an operator's word opens (reliability.md 3.3); an IPv4 in an IPv6 coat counts as what it is. */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}

export type Guard = ReturnType<typeof createGuard>;

/** What a socket needs to reach public hosts only. Both halves are needed: `lookup` is never called for an address written as such. */
export function createGuard({ allowPrivate, timeoutMs }: { allowPrivate: boolean; timeoutMs: number }) {
  return {
    /** Throws for an address in a private network; names are left to `lookup`. */
    check(host: string): void {
      if (isIP(toBareHost(host)) !== 0) demandAllowed([toBareHost(host)]);
    },
    /** Every address of the name is checked, and the socket connects to one of those checked: a second answer cannot differ. */
    lookup: ((host, options, callback) => {
      let done = false;
      const finish = (error: NodeJS.ErrnoException | null, found: { address: string; family: number }[]) => {
        if (done) return;
        done = true;
        clearTimeout(timer);
        if (error || !found[0]) return callback(error ?? withCode('ENOTFOUND'), '', 0);
        if (options.all) callback(null, found);
        else callback(null, found[0].address, found[0].family);
      };
      // The system's resolver knows no limit of ours.
      const timer = setTimeout(() => finish(withCode('EDNSTIMEOUT'), []), timeoutMs);
      lookup(host, { all: true, verbatim: true }, (error, found) => {
        try {
          if (!error) demandAllowed(found.map(({ address }) => address));
          finish(error, found);
        } catch (refusal) {
          finish(refusal instanceof Error ? refusal : withCode('EREFUSED'), []);
        }
      });
    }) satisfies LookupFunction,
  };

  function demandAllowed(addresses: string[]): void {
    if (!allowPrivate && !addresses.every(isPublicAddress)) {
      throw new EngineError('refused', 'the host lies in a private network and the instance is not allowed one');
    }
  }
}

/** As sockets want it: an IPv6 address without the brackets of a URL. */
export const toBareHost = (host: string) => host.replace(/^\[|\]$/g, '');

const withCode = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });
