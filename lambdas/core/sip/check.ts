/** What every request must have, whatever its method (RFC 3261 sections 8.1.1, 8.2 and 16.3). */
import { isNameAddr, isVia, parseCSeq } from './header.ts';
import type { SipRequest } from './message.ts';
import { isSipUri, uriScheme } from './uri.ts';

export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

const SINGLE = Object.entries({
  from: 'From',
  to: 'To',
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'max-forwards': 'Max-Forwards',
});
const MAX_FORWARDS = /^0*(?:[0-9]{1,2}|1[0-9]{2}|2[0-4][0-9]|25[0-5])$/;
const BRANCH_WITHOUT_ID = /=[ \t]*z9hG4bK[ \t]*(?:[;,]|$)/i;

const badRequest = (reason: string): Refusal => ({ status: 400, reason });

/**
 * Checks a request that `parseMessage` could read.
 * @returns the answer that refuses it, with a reason phrase that says what is wrong; `undefined` if it stands
 */
export function checkRequest(request: SipRequest): Refusal | undefined {
  for (const [name, title] of SINGLE) {
    if (request.isRepeated(name)) return badRequest(`Repeated ${title}`);
  }
  return (
    checkVia(request.get('via')) ??
    checkAddress('From', request.get('from')) ??
    checkAddress('To', request.get('to')) ??
    checkCallId(request.get('call-id')) ??
    checkCSeq(request.get('cseq'), request.method) ??
    checkMaxForwards(request.get('max-forwards')) ??
    checkRequestUri(request.requestUri)
  );
}

/** A Via without a branch is of RFC 2543 and stands; the magic cookie alone identifies nothing (RFC 4475). */
function checkVia(value: string | undefined): Refusal | undefined {
  if (value === undefined) return badRequest('Missing Via');
  if (!isVia(value)) return badRequest('Malformed Via');
  return BRANCH_WITHOUT_ID.test(value) ? badRequest('Malformed Via Branch') : undefined;
}

function checkAddress(title: string, value: string | undefined): Refusal | undefined {
  if (value === undefined) return badRequest(`Missing ${title}`);
  return isNameAddr(value) ? undefined : badRequest(`Malformed ${title}`);
}

function checkCallId(value: string | undefined): Refusal | undefined {
  if (value === undefined) return badRequest('Missing Call-ID');
  return value === '' || value.includes(' ') || value.includes('\t') ? badRequest('Malformed Call-ID') : undefined;
}

function checkCSeq(value: string | undefined, method: string): Refusal | undefined {
  if (value === undefined) return badRequest('Missing CSeq');
  const cseq = parseCSeq(value);
  if (cseq === undefined) return badRequest('Malformed CSeq');
  return cseq.method === method ? undefined : badRequest('CSeq Method Mismatch');
}

/** It may be absent in requests of RFC 2543 (RFC 3261 section 16.3). */
function checkMaxForwards(value: string | undefined): Refusal | undefined {
  return value === undefined || MAX_FORWARDS.test(value) ? undefined : badRequest('Malformed Max-Forwards');
}

/** Headers in a Request-URI are forbidden (RFC 3261 section 19.1.1). */
function checkRequestUri(uri: string): Refusal | undefined {
  if (isSipUri(uri)) return uri.indexOf('?', uri.indexOf('@')) < 0 ? undefined : badRequest('Headers In Request-URI');
  const scheme = uriScheme(uri);
  const isOther = scheme !== undefined && scheme !== 'sip' && scheme !== 'sips' && !/[\s<>"]/.test(uri);
  return isOther ? { status: 416, reason: 'Unsupported URI Scheme' } : badRequest('Malformed Request-URI');
}
