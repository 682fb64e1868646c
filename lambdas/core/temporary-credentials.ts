/**
 * Credentials for a while, made by a portal that shares a secret with us: user name `<expiry, epoch s>:<user>`, password
 * base64(HMAC-SHA-256(secret, user name)). Any SIP client can use them with digest. Pure.
 */
import { createHmac } from 'node:crypto';

export interface TemporaryName {
  readonly user: string;
  readonly expiresAtMs: number;
}

/** A portal whose clock or sum is wrong must not hand out credentials for years. */
const LONGEST_MS = 24 * 3_600_000;
const NAME = /^(\d{1,11}):(.+)$/s;

/** @returns undefined for a user name of another form */
export function readTemporaryName(username: string): TemporaryName | undefined {
  const [, seconds, user] = NAME.exec(username) ?? [];
  return seconds === undefined || user === undefined ? undefined : { user, expiresAtMs: Number(seconds) * 1_000 };
}

/** True until its end, which lies a day ahead at most. */
export const isInForce = ({ expiresAtMs }: TemporaryName, nowMs: number): boolean =>
  nowMs < expiresAtMs && expiresAtMs <= nowMs + LONGEST_MS;

export const temporaryPassword = (secret: string, username: string): string =>
  createHmac('sha256', secret).update(username, 'utf8').digest('base64');
