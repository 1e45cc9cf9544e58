import { lookup, type LookupAddress } from 'node:dns';
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
  const findRefusal = (addresses: string[]) =>
    allowPrivate || addresses.every(isPublicAddress) ? undefined : new EngineError('refused', 'private_network');

  return {
    /** Why an address may not be connected to; names are left to `lookup`. */
    check: (host: string): EngineError | undefined => (isIP(toBareHost(host)) === 0 ? undefined : findRefusal([toBareHost(host)])),
    /** Every address of the name is checked, and the socket connects to one of those checked: a second answer cannot differ. */
    lookup: ((host, options, callback) => {
      let done = false;
      const finish = (error: NodeJS.ErrnoException | undefined | null, found: LookupAddress[] = []) => {
        if (done) return;
        done = true;
        clearTimeout(timer);
        const [first] = found;
        if (error || !first) callback(error ?? withCode('ENOTFOUND'), '', 0);
        else if (options.all) callback(null, found);
        else callback(null, first.address, first.family);
      };
      // The system's resolver knows no limit of ours.
      const timer = setTimeout(() => finish(withCode('EDNSTIMEOUT')), timeoutMs);
      lookup(host, { all: true, verbatim: true }, (error, found) =>
        finish(error ?? findRefusal(found.map(({ address }) => address)), found),
      );
    }) satisfies LookupFunction,
  };
}

/** As sockets want it: an IPv6 address without the brackets of a URL. */
export const toBareHost = (host: string) => host.replace(/^\[|\]$/g, '');

const withCode = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });
