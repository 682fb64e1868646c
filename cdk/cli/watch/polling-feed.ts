/** Lamps as the HTTP API shows them, asked for again and again: it needs nothing but the key. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, path } from '../api-client.ts';
import { CliFailure, EXIT } from '../failure.ts';
import type { PresentityResource } from '../resources.ts';
import type { Lamp } from './lamps.ts';

export interface FeedEvents {
  onLamps(lamps: readonly Lamp[], isAll: boolean): void;
  /** Empty when all is well. */
  onStatus(text: string): void;
}

export interface FeedOptions {
  readonly tenant: string;
  /** Empty: everybody. */
  readonly users: readonly string[];
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

const LONGEST_PAUSE_MS = 15_000;

/** Until the signal. @throws {CliFailure} when the API refuses, which does not pass by itself */
export async function pollLamps(api: ApiClient, options: FeedOptions, events: FeedEvents): Promise<void> {
  const { everyMs, signal } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      events.onLamps(await readLamps(api, options), true);
      events.onStatus('');
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CliFailure) || error.details.exitCode !== EXIT.unreachable) throw error;
      failures += 1;
      events.onStatus(`${error.message}; trying again`);
    }
    const pauseMs = Math.min(everyMs * 2 ** Math.min(failures, 5), Math.max(LONGEST_PAUSE_MS, everyMs));
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** One look at all of them. @throws {CliFailure} */
export async function readLamps(
  api: ApiClient,
  { tenant, users }: Pick<FeedOptions, 'tenant' | 'users'>,
): Promise<Lamp[]> {
  const wanted = new Set(users);
  const lamps: Lamp[] = [];
  for await (const presentity of api.items<PresentityResource>(path`/tenants/${tenant}/presentities`)) {
    if (wanted.size === 0 || wanted.has(presentity.user)) lamps.push(lampOf(presentity));
  }
  return lamps;
}

function lampOf({ user, lamp, version, registered, dialogs = [] }: PresentityResource): Lamp {
  const remote = dialogs.find(({ state }) => state !== 'terminated')?.remote;
  return { user, lamp, version, registered, ...(remote !== undefined && { remote }) };
}
