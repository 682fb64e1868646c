/** Connections that tenants choose the other end of: https, and never into our own network. */
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { isLoopbackAddress, isPublicAddress } from './network-address.ts';

export const NO_PUBLIC_ADDRESS = 'The name has no public address';

/** Whether an address may be connected to. @param allowsLoopback only on one machine, where it also goes without https */
const isAllowed = (address: string, allowsLoopback: boolean): boolean =>
  isPublicAddress(address) || (allowsLoopback && isLoopbackAddress(address));

/** @returns why nothing is sent there; undefined when a name is still to be looked up, or all is well */
export function refusalOf(url: URL, allowsLoopback: boolean): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isAllowed(host, allowsLoopback)) return 'The address is not public';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && allowsLoopback)) return 'Not https';
  return undefined;
}

/** Looks names up where the connection is made, so that a name cannot change in between. */
export function guardedLookup(allowsLoopback: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { all: true, family: options.family === 4 || options.family === 6 ? options.family : 0 }).then(
      (found: readonly LookupAddress[]) => {
        const allowed = found.filter(({ address }) => isAllowed(address, allowsLoopback));
        const [first] = allowed;
        if (first === undefined) callback(new Error(NO_PUBLIC_ADDRESS), '', 0);
        else if (options.all) callback(null, [...allowed]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}
