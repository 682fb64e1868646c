/** Registrar rules for contact bindings (RFC 3261 section 10.3, RFC 5626 section 6). Pure. */
import { createHash } from 'node:crypto';
import { SipRejection } from './error.ts';
import { type NameAddr, type Params, parseContacts, parseSeconds, quoteString } from './sip/header.ts';
import { parseUri } from './sip/uri.ts';

export const BINDING_LIMITS = { contactsPerRequest: 10, bindingsPerUser: 200 } as const;

/** A Contact of an address-of-record and where it is connected. */
export interface Binding {
  /** Hash of what makes the binding the same one again. */
  readonly id: string;
  /** The Contact URI verbatim: clients compare it byte by byte. */
  readonly contactUri: string;
  /** Contact parameters without `expires`, unquoted; '' for a flag. */
  readonly params: readonly (readonly [name: string, value: string])[];
  readonly gatewayId: string;
  readonly flowId: string;
  readonly callId: string;
  readonly cseq: number;
  /** When it was added; refreshes keep it. */
  readonly createdAtMs?: number;
  readonly updatedAtMs: number;
  readonly expiresAtMs: number;
  readonly userAgent?: string;
}

/** What one Contact of a REGISTER asks for. `expiresSeconds` 0 removes. */
export interface ContactWish extends Pick<Binding, 'id' | 'contactUri' | 'params'> {
  readonly expiresSeconds: number;
  /** True when the binding is one flow of one UA instance (RFC 5626). */
  readonly isOutbound: boolean;
}

/** What stays the same for all contacts of one REGISTER. */
export type RegisterContext = Pick<Binding, 'gatewayId' | 'flowId' | 'callId' | 'cseq' | 'userAgent'>;

export type BindingChange =
  | { readonly kind: 'save'; readonly binding: Binding }
  | { readonly kind: 'remove'; readonly binding: Binding };

/** Seconds that a tenant grants. */
export interface ExpiresPolicy {
  readonly minExpiresSeconds: number;
  readonly defaultExpiresSeconds: number;
  readonly maxExpiresSeconds: number;
}

/**
 * Reads the Contact and Expires header fields of a REGISTER.
 * @param contacts values of all Contact header fields
 * @param expires value of Expires, if any
 * @returns `*` to remove all bindings; else one wish a contact, none for a query
 * @throws {SipRejection} 400 malformed, 403 too many, 423 with Min-Expires too short
 */
export function readContacts(
  contacts: readonly string[],
  expires: string | undefined,
  policy: ExpiresPolicy,
): '*' | readonly ContactWish[] {
  if (contacts.length === 0) return [];
  const parsed = parseContacts(contacts);
  if (parsed === undefined || parsed.length === 0) throw new SipRejection(400, 'Bad Contact');
  const requestSeconds = expires === undefined ? undefined : parseSeconds(expires);
  if (parsed === '*') {
    if (requestSeconds !== 0) throw new SipRejection(400, 'Contact * Needs Expires 0');
    return '*';
  }
  if (parsed.length > BINDING_LIMITS.contactsPerRequest) throw new SipRejection(403, 'Too Many Contacts');
  const wishes = parsed.map((contact) => wishOf(contact, requestSeconds, policy));
  const wanted = wishes.filter(({ expiresSeconds }) => expiresSeconds > 0);
  // A registration with a reg-id is for one flow (RFC 5626 section 6).
  if (wanted.length > 1 && wanted.some(({ isOutbound }) => isOutbound))
    throw new SipRejection(400, 'One Contact With reg-id');
  return [...new Map(wishes.map((wish) => [wish.id, wish])).values()];
}

/**
 * Decides what a REGISTER changes; the order of one Call-ID is kept (RFC 3261 section 10.3, steps 6 and 7).
 * @param current the bindings that have not expired
 * @throws {SipRejection} 500 when CSeq is not above that of a binding of the same Call-ID; 403 too many bindings
 */
export function decideChanges(
  wishes: '*' | readonly ContactWish[],
  current: readonly Binding[],
  context: RegisterContext,
  nowMs: number,
): BindingChange[] {
  const changes =
    wishes === '*' ? current.map(removal) : wishes.flatMap((wish) => changeOf(wish, current, context, nowMs));
  const changedIds = new Set(changes.map(({ binding }) => binding.id));
  const isLate = current.some(({ id, callId, cseq }) => {
    return changedIds.has(id) && callId === context.callId && context.cseq <= cseq;
  });
  if (isLate) throw outOfOrder();
  const before = current.filter(({ id }) => !changedIds.has(id));
  const saved = changes.filter(({ kind }) => kind === 'save');
  if (saved.length > 0 && before.length + saved.length > BINDING_LIMITS.bindingsPerUser) {
    throw new SipRejection(403, 'Too Many Bindings');
  }
  return changes;
}

/** The bindings that stand after the changes. */
export function applyChanges(current: readonly Binding[], changes: readonly BindingChange[]): Binding[] {
  const standing = new Map(current.map((binding) => [binding.id, binding]));
  for (const { kind, binding } of changes) {
    if (kind === 'save') standing.set(binding.id, binding);
    else standing.delete(binding.id);
  }
  return [...standing.values()];
}

/** Contact value that tells a client one of its bindings and how long it still lasts. */
export function composeContact({ contactUri, params, expiresAtMs }: Binding, nowMs: number): string {
  const own = params.map(([name, value]) => (value === '' ? `;${name}` : `;${name}=${tokenOrQuoted(value)}`));
  return `<${contactUri}>${own.join('')};expires=${Math.ceil((expiresAtMs - nowMs) / 1000)}`;
}

/** 500 of RFC 3261 section 10.3, step 7: an older request must not undo a newer one. */
export const outOfOrder = (): SipRejection => new SipRejection(500, 'CSeq Out Of Order');

function wishOf(contact: NameAddr, requestSeconds: number | undefined, policy: ExpiresPolicy): ContactWish {
  const own = contact.params.get('expires');
  // An expires that cannot be read counts as absent.
  const requested = (own === undefined ? undefined : parseSeconds(own)) ?? requestSeconds;
  const params = [...contact.params].filter(([name]) => name !== 'expires');
  const flow = flowName(contact.params);
  return {
    id: hashOf(flow ?? canonicalUri(contact.uri)),
    contactUri: contact.uri,
    params,
    expiresSeconds: grantSeconds(requested ?? policy.defaultExpiresSeconds, policy),
    isOutbound: flow !== undefined,
  };
}

function grantSeconds(requestedSeconds: number, { minExpiresSeconds, maxExpiresSeconds }: ExpiresPolicy): number {
  if (requestedSeconds > 0 && requestedSeconds < minExpiresSeconds) {
    throw new SipRejection(423, 'Interval Too Brief', [['Min-Expires', String(minExpiresSeconds)]]);
  }
  return Math.min(requestedSeconds, maxExpiresSeconds);
}

function changeOf(
  { id, contactUri, params, expiresSeconds }: ContactWish,
  current: readonly Binding[],
  context: RegisterContext,
  nowMs: number,
): BindingChange[] {
  const known = current.find((binding) => binding.id === id);
  if (expiresSeconds === 0) return known ? [removal(known)] : [];
  const createdAtMs = known === undefined ? nowMs : (known.createdAtMs ?? known.updatedAtMs);
  const times = { createdAtMs, updatedAtMs: nowMs, expiresAtMs: nowMs + expiresSeconds * 1000 };
  return [{ kind: 'save', binding: { ...context, id, contactUri, params, ...times } }];
}

const removal = (binding: Binding): BindingChange => ({ kind: 'remove', binding });

/** Instance and reg-id name a binding together; either alone leaves the URI to name it (RFC 5626 section 6). */
function flowName(params: Params): string | undefined {
  const instance = params.get('+sip.instance');
  const regId = params.get('reg-id');
  if (!instance || !regId) return undefined;
  if (!/^\d{1,10}$/.test(regId) || Number(regId) === 0) throw new SipRejection(400, 'Bad reg-id');
  return JSON.stringify([instance, Number(regId)]);
}

/** Equal for URIs that RFC 3261 section 19.1.4 calls equal, as far as one spelling can say; another scheme verbatim. */
function canonicalUri(text: string): string {
  const uri = parseUri(text);
  if (!uri) return text;
  const params = [...uri.params].map(([name, value]) => [name.toLowerCase(), value.toLowerCase()]).sort();
  return JSON.stringify([uri.scheme, uri.user, uri.host, uri.port ?? null, params, uri.headers]);
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);

const tokenOrQuoted = (value: string): string => (/^[\w.!%*+`'~-]+$/.test(value) ? value : quoteString(value));
