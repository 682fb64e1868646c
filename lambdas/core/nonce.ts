/** Stateless digest nonces: time and an HMAC over time, flow and realm. Another flow cannot use them. Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** How long a nonce may be used. */
export const NONCE_LIFETIME_MS = 10 * 60_000;
// Clocks of two function instances may differ a little.
const CLOCK_SKEW_MS = 5_000;
const TIME_BYTES = 6;
const MAC_BYTES = 18;

/** What a nonce is made for. */
export interface NonceScope {
  /** The first one makes nonces, all are valid. */
  readonly secrets: readonly string[];
  readonly flowId: string;
  /** Protection domain of the digest: the tenant's domain. */
  readonly realm: string;
}

/** @returns 32 characters of base64url */
export function makeNonce({ secrets: [secret = ''], ...scope }: NonceScope, nowMs: number): string {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeUIntBE(nowMs, 0, TIME_BYTES);
  return Buffer.concat([time, macOf(time, secret, scope)]).toString('base64url');
}

/** True when the nonce was made by us for this flow and realm, at most ten minutes ago. */
export function isNonceValid(nonce: string, scope: NonceScope, nowMs: number): boolean {
  const bytes = Buffer.from(nonce, 'base64url');
  // Decoding is lenient: only the one canonical spelling of a nonce counts.
  if (bytes.length !== TIME_BYTES + MAC_BYTES || bytes.toString('base64url') !== nonce) return false;
  const time = bytes.subarray(0, TIME_BYTES);
  const mac = bytes.subarray(TIME_BYTES);
  if (!scope.secrets.some((secret) => timingSafeEqual(mac, macOf(time, secret, scope)))) return false;
  const ageMs = nowMs - time.readUIntBE(0, TIME_BYTES);
  return ageMs >= -CLOCK_SKEW_MS && ageMs <= NONCE_LIFETIME_MS;
}

function macOf(time: Buffer, secret: string, { flowId, realm }: Omit<NonceScope, 'secrets'>): Buffer {
  const scope = JSON.stringify([flowId, realm]);
  return createHmac('sha256', secret).update(time).update(scope).digest().subarray(0, MAC_BYTES);
}
