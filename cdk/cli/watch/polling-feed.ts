/** Lamps as the HTTP API shows them, asked for again and again: it needs nothing but the key. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, path } from '../api-client.ts';
import { CliFailure, EXIT } from '../failure.ts';
import type { LampState, Presentity } from '../resources.ts';
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

/** Of one look; the others are explained by the next ones. */
const MOST_EXPLAINED = 20;
const LONGEST_PAUSE_MS = 15_000;

/** Until the signal. @throws {CliFailure} when the API refuses, which does not pass by itself */
export async function pollLamps(api: ApiClient, options: FeedOptions, events: FeedEvents): Promise<void> {
  const { everyMs, signal } = options;
  const remotes: Remotes = new Map();
  let failures = 0;
  while (!signal.aborted) {
    try {
      events.onLamps(await readLamps(api, options, remotes), true);
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

/** Whom lit lamps are with, by user, and of which version that was read. */
type Remotes = Map<string, { readonly version: number; readonly remote: string | undefined }>;

/** One look at all of them. @throws {CliFailure} */
export async function readLamps(
  api: ApiClient,
  { tenant, users }: Pick<FeedOptions, 'tenant' | 'users'>,
  remotes: Remotes = new Map(),
): Promise<Lamp[]> {
  const wanted = new Set(users);
  const lamps: LampState[] = [];
  for await (const lamp of api.items<LampState>(path`/tenants/${tenant}/presentities`)) {
    if (wanted.size === 0 || wanted.has(lamp.user)) lamps.push(lamp);
  }
  const isKnown = ({ user, version }: LampState): boolean => remotes.get(user)?.version === version;
  const unknown = lamps.filter((lamp) => isLit(lamp) && !isKnown(lamp)).slice(0, MOST_EXPLAINED);
  await Promise.all(unknown.map(async (lamp) => remotes.set(lamp.user, await readRemote(api, tenant, lamp))));
  return lamps.map((lamp) => ({ ...lamp, remote: isLit(lamp) ? remotes.get(lamp.user)?.remote : undefined }));
}

const isLit = ({ lamp }: LampState): boolean => lamp !== 'idle' && lamp !== 'unknown';

/** Who is at the other end stands in the presentity itself. */
async function readRemote(api: ApiClient, tenant: string, { user, version }: LampState) {
  const { dialogs } = await api.get<Presentity>(path`/tenants/${tenant}/presentities/${user}`);
  return { version, remote: dialogs.find(({ state }) => state !== 'terminated')?.remote?.uri };
}
