/** What a call's home gateway keeps of its dialogs (RFC 3261 section 12): tags, CSeqs, targets, routes. PURE. */
import type { FlowAddress, TrunkPeer } from '#contract/call.ts';
import type { EnvelopedRequest } from '#contract/request-envelope.ts';
import { parseCSeq, parseNameAddr, parseSeconds, splitList, tagOf } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { tokenOfUri } from './flow-token.ts';

/** One side of a call. */
export interface Leg {
  readonly aor: string;
  readonly tag: string;
  /** Value of From or To that names this side, with its tag. */
  readonly address: string;
  /** Its remote target: the Contact URI verbatim. */
  contactUri: string;
  instance: string | undefined;
  /** Highest CSeq number that it has used; 0 for none. */
  cseq: number;
  /** Where it is connected; the last one, when that is gone. */
  flow: FlowAddress;
  isLost: boolean;
  /** What stands between us and it, other proxies: the Route of a request that we make. */
  routes: readonly string[];
  /** Of a side that is outside. */
  readonly trunk?: TrunkPeer | undefined;
}

export interface Direction {
  readonly from: Leg;
  readonly to: Leg;
}

export const isSameFlow = (one: FlowAddress, other: FlowAddress): boolean =>
  one.flowId === other.flowId && one.gatewayId === other.gatewayId;

export class CallDialog {
  readonly callId: string;
  readonly caller: Leg;
  /** One for each To tag that a callee gave, in the order of their coming. */
  readonly callees = new Map<string, Leg>();
  /** The callee that answered first. */
  winner: Leg | undefined;

  constructor(callId: string, caller: Leg) {
    this.callId = callId;
    this.caller = caller;
  }

  /** Who speaks to whom in a request with these tags; undefined when it is in no dialog of this call. */
  directionOf(fromTag: string | undefined, toTag: string | undefined): Direction | undefined {
    if (fromTag === undefined || toTag === undefined) return undefined;
    const to = fromTag === this.caller.tag ? this.callees.get(toTag) : undefined;
    if (to !== undefined) return { from: this.caller, to };
    const from = toTag === this.caller.tag ? this.callees.get(fromTag) : undefined;
    return from === undefined ? undefined : { from, to: this.caller };
  }

  legs(): readonly Leg[] {
    return [this.caller, ...this.callees.values()];
  }
}

/** A request of `leg` has come: its CSeq counts, and a target refresh moves its Contact (RFC 3261 section 12.2.2). */
export function noteRequest(leg: Leg, method: string, headers: HeaderFields): void {
  const cseq = parseCSeq(headers.get('cseq') ?? '')?.sequence ?? 0;
  if (method !== 'ACK' && method !== 'CANCEL') leg.cseq = Math.max(leg.cseq, cseq);
}

export const isTargetRefresh = (method: string): boolean => method === 'INVITE' || method === 'UPDATE';

/** @returns the URI of the first Contact */
export function contactUriOf(headers: HeaderFields): string | undefined {
  const [first] = splitList(headers.get('contact') ?? '');
  return first === undefined ? undefined : parseNameAddr(first)?.uri;
}

/** @returns `+sip.instance` of the first Contact, as it stands between the quotes */
export function instanceOf(headers: HeaderFields): string | undefined {
  const [first] = splitList(headers.get('contact') ?? '');
  return first === undefined ? undefined : parseNameAddr(first)?.params.get('+sip.instance');
}

/**
 * Routes beyond ourselves, from a Record-Route list that holds our own entry.
 * @param side `callee` for what was added behind us, in the order of the Routes; `caller` for what stood there before
 */
export function routesBeyond(recordRoutes: readonly string[], side: 'caller' | 'callee'): string[] {
  const all = recordRoutes.flatMap(splitList);
  const own = all.findIndex((value) => tokenOfUri(parseNameAddr(value)?.uri ?? '') !== undefined);
  if (side === 'caller') return own < 0 ? all : all.slice(own + 1);
  return own < 0 ? [] : all.slice(0, own).reverse();
}

/** Seconds of Session-Expires in a 2xx (RFC 4028); undefined when the session has no timer. */
export function sessionSeconds(headers: HeaderFields): number | undefined {
  const value = headers.get('session-expires');
  return value === undefined ? undefined : parseSeconds(value.split(';', 1)[0] ?? '');
}

/** @returns the Call-ID and both tags of a Replaces (RFC 3891 section 3) */
export function readReplaces(value: string): { callId: string; toTag: string; fromTag: string } | undefined {
  const [callId = '', ...params] = value.split(';').map((part) => part.trim());
  const find = (name: string): string | undefined =>
    params.find((param) => param.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
  const toTag = find('to-tag');
  const fromTag = find('from-tag');
  return callId === '' || toTag === undefined || fromTag === undefined ? undefined : { callId, toTag, fromTag };
}

/** A BYE as `from` would send it to `to` (RFC 3261 section 15.1.1), without Via. */
export function composeBye(callId: string, { from, to }: Direction, reason: string): EnvelopedRequest {
  from.cseq++;
  return inDialog('BYE', from.cseq, callId, { from, to }, [['Reason', reason]]);
}

/** The ACK of a 2xx that nobody else acknowledges, without Via. */
export const composeAck = (callId: string, direction: Direction, cseq: number): EnvelopedRequest =>
  inDialog('ACK', cseq, callId, direction, []);

function inDialog(
  method: string,
  cseq: number,
  callId: string,
  { from, to }: Direction,
  more: readonly [string, string][],
): EnvelopedRequest {
  const headers: [string, string][] = [
    ...to.routes.map((route): [string, string] => ['Route', route]),
    ['Max-Forwards', '70'],
    ['From', from.address],
    ['To', to.address],
    ['Call-ID', callId],
    ['CSeq', `${cseq} ${method}`],
    ...more,
  ];
  return { method, requestUri: to.contactUri, headers, body: '', bodyEncoding: 'utf8' };
}

/** Value of a To with the tag of the one who answered. */
export const withTag = (value: string, tag: string): string =>
  tagOf(value) === undefined && tag !== '' ? `${value};tag=${tag}` : value;
