/** API keys `lf_<id>_<secret>`: what they look like, what they may do, whether one is right. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** What a key may do: everything, say what happens and see what is live, or see. */
export const KEY_PERMISSIONS = ['admin', 'ingest', 'read'] as const;
export type KeyPermission = (typeof KEY_PERMISSIONS)[number];

/** What a route asks for. `live`: the live state, for every key. */
export type RoutePermission = KeyPermission | 'live';

const ALLOWED: Readonly<Record<KeyPermission, readonly RoutePermission[]>> = {
  admin: ['admin', 'ingest', 'read', 'live'],
  ingest: ['ingest', 'live'],
  read: ['read', 'live'],
};

/** Who asks the HTTP API. */
export interface Caller {
  /** The prefix of its key, or `admin` for the one that the deployment was made with. */
  readonly key: string;
  /** Undefined: an operator, for whom all tenants are there. */
  readonly tenant?: string | undefined;
  readonly permission: KeyPermission;
}

export const mayUse = ({ permission }: Caller, route: RoutePermission): boolean => ALLOWED[permission].includes(route);

/** False for another tenant, which a tenant's key must not tell from one that does not exist. */
export const seesTenant = ({ tenant }: Caller, domain: string): boolean => tenant === undefined || tenant === domain;

const KEY = /^lf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;
const ID_BYTES = 6;
const SECRET_BYTES = 32;

/** The parts of a key; undefined for what cannot be one. */
export function readKey(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret] = KEY.exec(text) ?? [];
  return id !== undefined && secret !== undefined ? { id, secret } : undefined;
}

/** What is shown of a key for good. */
export const keyPrefix = (id: string): string => `lf_${id}`;
export const keyText = (id: string, secret: string): string => `${keyPrefix(id)}_${secret}`;

/** @param random bytes from a cryptographic source */
export const makeKeyId = (random: (bytes: number) => Buffer): string => random(ID_BYTES).toString('hex');
export const makeKeySecret = (random: (bytes: number) => Buffer): string => random(SECRET_BYTES).toString('base64url');

/** What is stored of a secret: it has 256 bits of chance, so a plain hash is enough. */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** What is stored of a key, as far as it decides. */
export interface KeyFacts {
  readonly hash: string;
  /** The secret before the last rotation, and until when it is good. */
  readonly previousHash?: string | undefined;
  readonly previousUntilMs?: number | undefined;
  readonly expiresAtMs?: number | undefined;
}

const NOBODYS_HASH = hashSecret('');

/** True for the right secret of a key that is good now. It takes as long when there is no such key. */
export function isGoodKey(facts: KeyFacts | undefined, secret: string, nowMs: number): boolean {
  const hash = hashSecret(secret);
  const isCurrent = isEqual(hash, facts?.hash ?? NOBODYS_HASH);
  const isPrevious = isEqual(hash, facts?.previousHash ?? NOBODYS_HASH) && nowMs < (facts?.previousUntilMs ?? 0);
  return facts !== undefined && (isCurrent || isPrevious) && isInForce(facts, nowMs);
}

export const isInForce = (
  { expiresAtMs = Number.POSITIVE_INFINITY }: Pick<KeyFacts, 'expiresAtMs'>,
  nowMs: number,
): boolean => nowMs < expiresAtMs;

/** Compares two texts; the time that it takes says nothing of where they differ. */
export function isEqual(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
