/**
 * Our side of a dialog as a trunk sees it (RFC 3261 section 12.2.1.1): credentials make a request a new one, so its CSeq
 * is higher than the one that the user's device counts with. PURE.
 */
import type { HeaderEntries } from '#contract/schemas.ts';
import { parseCSeq, splitList } from '#core/sip/header.ts';
import { longLowerName } from '#core/sip/header-name.ts';
import { parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import { serializeRequest, serializeResponse } from '#core/sip/serialize.ts';

/** An INVITE as it was sent: its ACK has the same number and the same credentials (RFC 3261 section 13.2.2.4). */
interface SentInvite {
  readonly sequence: number;
  readonly credentials: HeaderEntries;
}

const MAX_INVITES = 32;

export class TrunkSide {
  #offset = 0;
  #highestGiven = 0;
  #highestSent = 0;
  readonly #invites = new Map<number, SentInvite>();

  /** @param given CSeq number of a request as the device counts */
  first(given: number): number {
    this.#highestGiven = Math.max(this.#highestGiven, given);
    return this.#note(given + this.#offset);
  }

  /** The number of a request that goes out again: higher than all before, also than those that overtook it. */
  again(): number {
    const sequence = this.#note(this.#highestSent + 1);
    this.#offset = sequence - this.#highestGiven;
    return sequence;
  }

  #note(sequence: number): number {
    this.#highestSent = Math.max(this.#highestSent, sequence);
    return sequence;
  }

  sentInvite(given: number, sent: SentInvite): void {
    this.#invites.set(given, sent);
    const [oldest] = this.#invites.keys();
    if (this.#invites.size > MAX_INVITES && oldest !== undefined) this.#invites.delete(oldest);
  }

  invite(given: number): SentInvite | undefined {
    return this.#invites.get(given);
  }
}

export interface Restamped {
  /** Our Via. */
  readonly via: string;
  readonly sequence: number;
  readonly credentials: HeaderEntries;
  /** How the INVITE of a PRACK was numbered. */
  readonly invite: (given: number) => SentInvite | undefined;
}

/** The text of a request as the trunk gets it. */
export function composeForTrunk(request: SipRequest, { via, sequence, credentials, invite }: Restamped): string {
  const [, ...moreVias] = request.all('via').flatMap(splitList);
  const headers: [string, string][] = [via, ...moreVias].map((value) => ['Via', value]);
  for (const [name, value] of request.entries()) {
    const key = longLowerName(name);
    if (key === 'via') continue;
    if (key === 'cseq') headers.push([name, `${sequence} ${request.method}`]);
    else headers.push([name, key === 'rack' ? rackOf(value, invite) : value]);
  }
  for (const [name, value] of credentials) headers.push([name, value]);
  return serializeRequest(request.method, request.requestUri, headers, request.body);
}

/** RAck names the INVITE by its CSeq (RFC 3262 section 7.2). */
function rackOf(value: string, invite: Restamped['invite']): string {
  const [responseNumber = '', given = '', method = ''] = value.trim().split(/\s+/);
  const sent = method === 'INVITE' ? invite(Number(given)) : undefined;
  return sent === undefined ? value : `${responseNumber} ${sent.sequence} ${method}`;
}

/** An answer of the trunk as the call expects it. @param as another status than the one that came */
export function composeForCall(
  response: SipResponse,
  given: number,
  as?: [status: number, reason: string],
): SipResponse {
  const [status, reason] = as ?? [response.status, response.reason];
  const method = parseCSeq(response.get('cseq') ?? '')?.method ?? '';
  const headers = response
    .entries()
    .filter(([name]) => as === undefined || !/^(?:www|proxy)-authenticate$/i.test(name))
    .map(([name, value]): [string, string] => [name, longLowerName(name) === 'cseq' ? `${given} ${method}` : value]);
  const parsed = parseMessage(serializeResponse(status, reason, headers, response.body));
  return parsed.kind === 'response' ? parsed : response;
}

/** The ACK for a refusal (RFC 3261 section 17.1.1.3) that the call never hears of. */
export function composeOwnAck(request: SipRequest, response: SipResponse, via: string, sequence: number): string {
  const headers: [string, string][] = [
    ['Via', via],
    ...request.all('route').map((route): [string, string] => ['Route', route]),
    ['Max-Forwards', '70'],
    ['From', request.get('from') ?? ''],
    ['To', response.get('to') ?? ''],
    ['Call-ID', request.get('call-id') ?? ''],
    ['CSeq', `${sequence} ACK`],
  ];
  return serializeRequest('ACK', request.requestUri, headers, '');
}
