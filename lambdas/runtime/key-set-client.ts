/** Public keys of token issuers: fetched over https, bounded, kept, and never from inside our own network. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { JSONWebKeySet } from 'jose';
import * as v from 'valibot';
import { DependencyUnavailable } from '#core/error.ts';
import { guardedLookup, refusalOf } from './guarded-connection.ts';

export interface KeySetSettings {
  /** Only on one machine: keys may come from the machine itself, without https. */
  readonly allowsLoopback: boolean;
  readonly now?: () => number;
}

const TIMEOUT_MS = 2_500;
const MAX_BYTES = 128 * 1024;
const MAX_KEYS = 100;
const MAX_KEPT = 1_000;
const KEEP_MS = 10 * 60_000;
/** Known keys help longer than their issuer may be away. */
const KEEP_WHEN_DEAD_MS = 24 * 3_600_000;
/** Tokens with made-up key ids do not become requests to the issuer. */
const MAX_RENEWALS = 5;
const RENEWALS_WITHIN_MS = 60_000;
/** A dead issuer is not asked for each of its tokens. */
const RETRY_AFTER_MS = 5_000;

const keySet = v.object({ keys: v.pipe(v.array(v.looseObject({ kty: v.string() })), v.maxLength(MAX_KEYS)) });

interface Entry {
  keys?: { readonly set: JSONWebKeySet; readonly atMs: number };
  askedAtMs: number;
  /** When keys were asked for because one was missing. */
  renewals: readonly number[];
  failed: boolean;
  asking: Promise<JSONWebKeySet> | undefined;
}

/** @returns the loader; it throws {@link DependencyUnavailable} when there are no keys, old ones included */
export function createKeySetLoader(
  settings: KeySetSettings,
  fetchSet: typeof fetchKeySet = fetchKeySet,
): (uri: string, use: 'known' | 'renewal') => Promise<JSONWebKeySet> {
  const entries = new Map<string, Entry>();
  const now = settings.now ?? Date.now;

  async function ask(uri: string, entry: Entry): Promise<JSONWebKeySet> {
    entry.askedAtMs = now();
    try {
      const set = await fetchSet(uri, settings.allowsLoopback);
      entry.keys = { set, atMs: now() };
      entry.failed = false;
      return set;
    } catch (cause) {
      entry.failed = true;
      const { keys } = entry;
      if (keys !== undefined && now() - keys.atMs < KEEP_WHEN_DEAD_MS) return keys.set;
      throw new DependencyUnavailable(`No keys from ${originOf(uri)}`, { cause });
    } finally {
      entry.asking = undefined;
    }
  }

  return (uri, use) => {
    const entry = entryOf(entries, uri);
    const { keys } = entry;
    const isOld = keys === undefined || now() - keys.atMs >= KEEP_MS;
    if (!isOld && (use === 'known' || (entry.asking === undefined && !takeRenewal(entry, now()))))
      return Promise.resolve(keys.set);
    const isToWait = entry.failed && now() - entry.askedAtMs < RETRY_AFTER_MS;
    if (isToWait && entry.asking === undefined) {
      if (keys !== undefined) return Promise.resolve(keys.set);
      return Promise.reject(new DependencyUnavailable(`No keys from ${originOf(uri)}`));
    }
    entry.asking ??= ask(uri, entry);
    return entry.asking;
  };
}

/** @returns false when there were enough of them lately */
function takeRenewal(entry: Entry, nowMs: number): boolean {
  const lately = entry.renewals.filter((atMs) => nowMs - atMs < RENEWALS_WITHIN_MS);
  const isAllowed = lately.length < MAX_RENEWALS;
  entry.renewals = isAllowed ? [...lately, nowMs] : lately;
  return isAllowed;
}

function entryOf(entries: Map<string, Entry>, uri: string): Entry {
  const known = entries.get(uri);
  if (known !== undefined) return known;
  const entry: Entry = { askedAtMs: 0, renewals: [], failed: false, asking: undefined };
  entries.set(uri, entry);
  for (const oldest of entries.keys()) {
    if (entries.size <= MAX_KEPT) break;
    entries.delete(oldest);
  }
  return entry;
}

const originOf = (uri: string): string => (URL.canParse(uri) ? new URL(uri).origin : 'a malformed URI');

/** One GET without redirects. */
export async function fetchKeySet(uri: string, allowsLoopback: boolean): Promise<JSONWebKeySet> {
  const url = new URL(uri);
  const refusal = refusalOf(url, allowsLoopback);
  if (refusal !== undefined) throw new Error(refusal);
  const text = await get(url, allowsLoopback);
  return v.parse(keySet, JSON.parse(text)) as JSONWebKeySet;
}

function get(url: URL, allowsLoopback: boolean): Promise<string> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const options = { lookup: guardedLookup(allowsLoopback), agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) };
    const outgoing = request(url, { ...options, headers: { accept: 'application/json' } }, (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      if (incoming.statusCode !== 200) outgoing.destroy(new Error(`status ${incoming.statusCode}`));
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BYTES) outgoing.destroy(new Error('answer too long'));
        else chunks.push(chunk);
      });
      incoming.on('error', reject);
      incoming.on('end', () => resolve(Buffer.concat(chunks).toString()));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
