/** Who waits in a queue: a tenant by its proven identity, a stranger by where it is and whom it claims to be. PURE. */
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { parseNameAddr } from '#core/sip/header.ts';
import { parseUri } from '#core/sip/uri.ts';
import type { Sender } from './fair-queue.ts';

/** Strangers share so many queues: one address reaches only some of them, whatever it claims. */
const ADDRESS_SLOTS = 64;
const CLAIM_SLOTS = 4;

export function senderOf({ identity, sourceAddress, request }: RequestEnvelope): Sender {
  if (identity !== undefined) return { kind: 'tenant', name: identity.domain };
  const from = request.headers.find(([name]) => FROM.test(name))?.[1] ?? '';
  const slot = hashOf(sourceAddress) % ADDRESS_SLOTS;
  return { kind: 'stranger', name: `#${slot}.${hashOf(domainOf(from) ?? '') % CLAIM_SLOTS}` };
}

const FROM = /^(from|f)$/i;

/** The domain of a URI, alone or in a header field, in lower case. */
export function domainOf(text: string): string | undefined {
  const uri = parseUri(parseNameAddr(text)?.uri ?? '');
  return uri?.host;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
