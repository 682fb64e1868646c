/** Signature of an instruction batch: HMAC over time and body, so that only our functions reach a gateway. Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { SIGNATURE_TOLERANCE_MS } from '#contract/instruction.ts';

/** @returns HMAC-SHA-256 of `"<signedAtMs>.<body>"`, hex */
export function signInstructions(secret: string, signedAtMs: number, body: string): string {
  return createHmac('sha256', secret).update(`${signedAtMs}.${body}`).digest('hex');
}

/** The two header fields of a received batch; undefined where one is missing. */
export interface ReceivedSignature {
  readonly signature: string | undefined;
  /** Epoch milliseconds, as text. */
  readonly signedAt: string | undefined;
}

/** True when the body was signed with the secret, at most a minute before or after `nowMs`. */
export function verifyInstructions(secret: string, received: ReceivedSignature, body: string, nowMs: number): boolean {
  const { signature, signedAt } = received;
  if (!signature || !signedAt || !/^\d{1,15}$/.test(signedAt)) return false;
  const signedAtMs = Number(signedAt);
  if (Math.abs(nowMs - signedAtMs) > SIGNATURE_TOLERANCE_MS) return false;
  const expected = Buffer.from(signInstructions(secret, signedAtMs, body));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
