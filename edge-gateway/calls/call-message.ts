/** Text of what a proxy sends on (RFC 3261 sections 16.6 and 16.7): requests with our Via, answers without it. PURE. */
import { createHash } from 'node:crypto';
import type { HeaderEntries } from '#contract/schemas.ts';
import { parseParameterized, parseVia, splitList, tagOf } from '#core/sip/header.ts';
import { longLowerName } from '#core/sip/header-name.ts';
import type { SipRequest, SipResponse } from '#core/sip/message.ts';
import { serializeRequest, serializeResponse } from '#core/sip/serialize.ts';

/** No branch of a NOTIFY or of a forwarded request begins so. */
export const CALL_BRANCH_PREFIX = 'z9hG4bKc.';
const DEFAULT_MAX_FORWARDS = 70;
const MAX_VIAS = 70;
const MAX_RECORD_ROUTES = 30;
/** Larger messages of calls are refused: what is added on the way must fit into a message, too. */
const MAX_CALL_MESSAGE_BYTES = 56 * 1024;

/** Claims that only a trusted element may make, and credentials meant for us. */
const NOT_PASSED: ReadonlySet<string> = new Set([
  'proxy-authorization',
  'p-asserted-identity',
  'p-preferred-identity',
  'max-forwards',
  'route',
  'via',
]);

/** What identifies a branch of ours: the loop hash, our gateway, the client transaction. */
export interface CallBranch {
  readonly loopHash: string;
  /** The last twelve characters of the id of the gateway that keeps the call. */
  readonly home: string;
  readonly transaction: string;
}

export const branchText = ({ loopHash, home, transaction }: CallBranch): string =>
  `${CALL_BRANCH_PREFIX}${loopHash}.${home}.${transaction}`;

export function readBranch(branch: string): CallBranch | undefined {
  if (!branch.startsWith(CALL_BRANCH_PREFIX)) return undefined;
  const [loopHash, home, transaction, ...more] = branch.slice(CALL_BRANCH_PREFIX.length).split('.');
  return loopHash && home && transaction && more.length === 0 ? { loopHash, home, transaction } : undefined;
}

/** Same for requests that a proxy would route alike (RFC 3261 section 16.6, step 8; RFC 5393). */
export function loopHashOf(request: SipRequest): string {
  const parts = [
    request.requestUri,
    tagOf(request.get('from') ?? ''),
    tagOf(request.get('to') ?? ''),
    request.get('call-id'),
    request.get('cseq')?.split(/\s/, 1)[0],
    request.all('route'),
    request.all('proxy-require'),
    request.all('proxy-authorization'),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 10);
}

/** @returns true when this request has come by here before and would go the same way again */
export function isLoop(request: SipRequest, loopHash: string, home: string): boolean {
  return request
    .all('via')
    .flatMap(splitList)
    .some((via) => {
      const branch = readBranch(parseVia(via)?.branch ?? '');
      return branch !== undefined && branch.loopHash === loopHash && branch.home === home;
    });
}

export interface ProxyRefusal {
  readonly status: number;
  readonly reason?: string;
  readonly headers?: HeaderEntries;
}

/** What a proxy refuses before it knows where a request goes (RFC 3261 section 16.3); undefined when nothing is wrong. */
export function refuseForProxy(request: SipRequest, isUtf8: boolean): ProxyRefusal | undefined {
  if (request.method === 'CANCEL') return undefined;
  const required = request.all('proxy-require').flatMap(splitList);
  if (required.length > 0) return { status: 420, headers: [['Unsupported', required.join(', ')]] };
  if (Number(request.get('max-forwards') ?? DEFAULT_MAX_FORWARDS) === 0) return { status: 483 };
  if (request.all('via').flatMap(splitList).length > MAX_VIAS) return { status: 483 };
  if (request.all('record-route').flatMap(splitList).length > MAX_RECORD_ROUTES)
    return { status: 400, reason: 'Too Many Record-Routes' };
  // What goes on leaves in text frames (RFC 7118 section 5).
  if (!isUtf8) return { status: 400, reason: 'Message Is Not UTF-8' };
  return isTooLarge(request) ? { status: 513 } : undefined;
}

function isTooLarge(request: SipRequest): boolean {
  let bytes = Buffer.byteLength(request.body);
  for (const [name, value] of request.entries()) bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 4;
  return bytes > MAX_CALL_MESSAGE_BYTES;
}

export interface NextHop {
  readonly requestUri: string;
  /** Value of our Via. */
  readonly via: string;
  readonly recordRoute?: string | undefined;
  /** Routes that are left. */
  readonly routes: readonly string[];
  /** Fields that stand in place of what came. */
  readonly fields?: HeaderEntries;
  /** Realm whose Authorization was meant for us. */
  readonly ownRealm?: string | undefined;
  readonly source: { readonly sourceAddress: string; readonly sourcePort: number };
}

export function composeForwarded(request: SipRequest, hop: NextHop): string {
  const replaced = new Set((hop.fields ?? []).map(([name]) => longLowerName(name)));
  const [topVia = '', ...moreVias] = request.all('via').flatMap(splitList);
  const maxForwards = Number(request.get('max-forwards') ?? DEFAULT_MAX_FORWARDS + 1) - 1;
  const headers: [string, string][] = [
    ['Via', hop.via],
    ['Via', withReceived(topVia, hop.source)],
    ...moreVias.map((via): [string, string] => ['Via', via]),
    ...(hop.recordRoute === undefined ? [] : [['Record-Route', hop.recordRoute] as [string, string]]),
    ...hop.routes.map((route): [string, string] => ['Route', route]),
    ['Max-Forwards', String(maxForwards)],
  ];
  for (const [name, value] of request.entries()) {
    const key = longLowerName(name);
    if (NOT_PASSED.has(key) || replaced.has(key)) continue;
    if (key === 'authorization' && hop.ownRealm !== undefined && value.includes(`realm="${hop.ownRealm}"`)) continue;
    headers.push([name, value]);
  }
  for (const [name, value] of hop.fields ?? []) headers.push([name, value]);
  return serializeRequest(request.method, hop.requestUri, headers, request.body);
}

/** RFC 3261 section 18.2.1 and RFC 3581 section 4: where the request came from; what the client claims of it goes. */
function withReceived(via: string, { sourceAddress, sourcePort }: NextHop['source']): string {
  const kept = via.replace(/;\s*received\s*=\s*[^;,\s]*/gi, '');
  const filled = kept.replace(/;\s*rport\s*(?:=\s*[0-9]*)?(?=\s*(?:;|$))/i, `;rport=${sourcePort}`);
  const asked = filled !== kept;
  return asked || parseVia(via)?.host !== sourceAddress ? `${filled};received=${sourceAddress}` : filled;
}

/** An answer on its way back: the top Via goes, and `fields` are added. */
export function composePassed(response: SipResponse, fields: HeaderEntries = []): string {
  const [, ...vias] = response.all('via').flatMap(splitList);
  const headers: [string, string][] = vias.map((via) => ['Via', via]);
  for (const [name, value] of response.entries()) {
    const key = longLowerName(name);
    if (key !== 'via' && key !== 'p-asserted-identity') headers.push([name, value]);
  }
  for (const [name, value] of fields) headers.push([name, value]);
  return serializeResponse(response.status, response.reason, headers, response.body);
}

/** An ACK for a final answer that is no 2xx (RFC 3261 section 17.1.1.3), or the CANCEL of an INVITE (section 9.1). */
export function composeHopByHop(
  method: 'ACK' | 'CANCEL',
  invite: SipRequest,
  sent: SentRequest,
  to: string,
  reasons: readonly string[] = [],
): string {
  const cseq = (invite.get('cseq') ?? '').split(/\s/, 1)[0] ?? '';
  const headers: [string, string][] = [
    ['Via', sent.via],
    ...sent.routes.map((route): [string, string] => ['Route', route]),
    ['Max-Forwards', '70'],
    ['From', invite.get('from') ?? ''],
    ['To', to],
    ['Call-ID', invite.get('call-id') ?? ''],
    ['CSeq', `${cseq} ${method}`],
    ...reasons.map((reason): [string, string] => ['Reason', reason]),
  ];
  return serializeRequest(method, sent.requestUri, headers, '');
}

/** What an ACK or a CANCEL repeats of the request that we sent. */
export interface SentRequest {
  readonly requestUri: string;
  readonly via: string;
  readonly routes: readonly string[];
}

/** Challenges of all branches go back together (RFC 3261 section 16.7, step 7). */
export function gatherChallenges(best: SipResponse, all: readonly SipResponse[]): HeaderEntries {
  if (best.status !== 401 && best.status !== 407) return [];
  return all
    .filter((response) => response !== best && (response.status === 401 || response.status === 407))
    .flatMap((response) => response.entries())
    .filter(([name]) => /^(?:www|proxy)-authenticate$/i.test(name));
}

/** @returns how many further branches the request may have (RFC 5393); undefined when it does not say */
export function maxBreadthOf(request: SipRequest): number | undefined {
  const value = parseParameterized(request.get('max-breadth') ?? '').value;
  return /^[0-9]{1,9}$/.test(value) ? Number(value) : undefined;
}
