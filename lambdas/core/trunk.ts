/** A tenant's trunk: which numbers go there, under whose number, and who may speak for it. Pure. */
import type { TrunkPeer } from '#contract/call.ts';
import type { DigestAlgorithm } from './digest.ts';

/** What callers show outside. */
export interface CallerIdRule {
  /** The same number for all. */
  readonly number?: string | undefined;
  /** Stands before the user's own number. */
  readonly prefix?: string | undefined;
}

export interface Trunk extends TrunkPeer {
  /** Our account there; none for a peer that knows us by our address. */
  readonly account?:
    | {
        readonly username: string;
        readonly realm: string;
        /** HA1, hex; the peer decides which one it wants. */
        readonly ha1: Readonly<Record<'md5' | 'sha256', string>>;
      }
    | undefined;
  readonly callerId: CallerIdRule;
}

const SEPARATORS = /[-.() ]/g;
const NUMBER = /^\+?[0-9*#]{1,32}$/;

/** A number as it is dialled, without separators; undefined for a name. */
export function dialledNumber(user: string): string | undefined {
  const number = user.replace(SEPARATORS, '');
  return NUMBER.test(number) ? number : undefined;
}

/** The Request-URI of a call to this number. */
export function trunkUriOf({ host, port, transport }: TrunkPeer, number: string): string {
  const at = port === undefined ? hostText(host) : `${hostText(host)}:${port}`;
  return `sip:${number.replaceAll('#', '%23')}@${at};transport=${transport.toLowerCase()}`;
}

/** The URI under which a user calls outside. */
export function callerIdOf({ host, callerId }: Trunk, user: string): string {
  const number = callerId.number ?? `${callerId.prefix ?? ''}${user}`;
  return `sip:${encodeURIComponent(number).replaceAll('%2B', '+')}@${hostText(host)}`;
}

const hostText = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** True for an address from which the peer may speak: one of these, or in one of these IPv4 networks. */
export function isFromTrunk(addresses: readonly string[], sourceAddress: string): boolean {
  const source = sourceAddress.toLowerCase();
  return addresses.some((each) => each.toLowerCase() === source || isInNetwork(each, source));
}

function isInNetwork(network: string, address: string): boolean {
  const [base = '', length] = network.split('/');
  const [baseNumber, number] = [ipv4Number(base), ipv4Number(address)];
  if (baseNumber === undefined || number === undefined || !/^(?:[0-9]|[12][0-9]|3[0-2])$/.test(length ?? ''))
    return false;
  const size = 2 ** (32 - Number(length));
  return Math.floor(baseNumber / size) === Math.floor(number / size);
}

function ipv4Number(address: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + part, 0);
}

/** The stored hash for an algorithm. */
export const ha1For = ({ ha1 }: NonNullable<Trunk['account']>, algorithm: DigestAlgorithm): string =>
  algorithm === 'MD5' ? ha1.md5 : ha1.sha256;
