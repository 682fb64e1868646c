/** What an INVITE says to whoever routes it (RFC 3261 section 16.5, RFC 3891, RFC 5627). Pure. */
import { createHash } from 'node:crypto';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Binding } from './binding.ts';
import { SipRejection } from './error.ts';
import { parseContacts, parseCSeq, parseParameterized, parseVia, tagOf } from './sip/header.ts';
import type { HeaderFields } from './sip/message.ts';
import { parseUri } from './sip/uri.ts';

export interface Invite {
  readonly callId: string;
  readonly fromTag: string;
  readonly cseq: number;
  readonly contactUri?: string;
  readonly instance?: string;
  /** The same for the same request, so that one which is handed over twice makes one call. */
  readonly callKey: string;
}

/** A dialog that the INVITE would take over, as the one who gets the INVITE knows it (RFC 3891 section 3). */
export interface Replaces {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
}

/** @throws {SipRejection} 400 when From has no tag or Contact cannot be read */
export function readInvite({ request, gatewayId, flowId }: RequestEnvelope, headers: HeaderFields): Invite {
  const callId = headers.get('call-id') ?? '';
  const fromTag = tagOf(headers.get('from') ?? '');
  if (!fromTag) throw new SipRejection(400, 'From Without Tag');
  const cseq = parseCSeq(headers.get('cseq') ?? '')?.sequence ?? 0;
  const contacts = parseContacts(headers.all('contact'));
  const contact = contacts === '*' ? undefined : contacts?.[0];
  if (contact === undefined) throw new SipRejection(400, 'INVITE Without Contact');
  const instance = contact.params.get('+sip.instance');
  const branch = parseVia(headers.get('via') ?? '')?.branch ?? '';
  const name = [callId, fromTag, cseq, branch, request.requestUri, gatewayId, flowId];
  return {
    ...{ callId, fromTag, cseq, contactUri: contact.uri },
    ...(instance !== undefined && { instance }),
    callKey: createHash('sha256').update(JSON.stringify(name)).digest('base64url').slice(0, 22),
  };
}

/** @throws {SipRejection} 400 when there is more than one, or one without both tags (RFC 3891 section 6.1) */
export function readReplaces(headers: HeaderFields): Replaces | undefined {
  const [value, ...more] = headers.all('replaces');
  if (value === undefined) return undefined;
  const { value: callId, params } = parseParameterized(value);
  const [localTag, remoteTag] = [params.get('to-tag'), params.get('from-tag')];
  if (more.length > 0 || callId === '' || !localTag || !remoteTag) throw new SipRejection(400, 'Bad Replaces');
  return { callId, localTag, remoteTag };
}

/** The device that the URI means alone: its `gr` parameter (RFC 5627 section 3.1); undefined for all devices. */
export const instanceOfUri = (uri: string): string | undefined => parseUri(uri)?.params.get('gr') || undefined;

/** Among the bindings of a user those of one device, by its instance or, without that, its Contact. */
export function bindingsOfDevice(
  bindings: readonly Binding[],
  device: { readonly instance?: string | undefined; readonly contactUri?: string | undefined },
): Binding[] {
  const { instance, contactUri } = device;
  if (instance === undefined) return bindings.filter((binding) => binding.contactUri === contactUri);
  return bindings.filter((binding) => {
    const own = instanceOf(binding);
    return own !== undefined && bare(own) === bare(instance);
  });
}

export const instanceOf = ({ params }: Pick<Binding, 'params'>): string | undefined =>
  params.find(([name]) => name === '+sip.instance')?.[1];

/** The q value of a Contact: 0 to 1, and 1 when it does not say (RFC 3261 section 16.6 leaves that open). */
export function qOf({ params }: Pick<Binding, 'params'>): number {
  const q = Number(params.find(([name]) => name === 'q')?.[1] ?? 1);
  return q >= 0 && q <= 1 ? q : 1;
}

/** In a Contact an instance stands in angle brackets, in a URI it does not. */
const bare = (instance: string): string => instance.replace(/^<|>$/g, '').toLowerCase();
