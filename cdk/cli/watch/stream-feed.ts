/**
 * Lamps as one user of the tenant sees them, from the JSON stream of a gateway (edge-gateway/lamps/README.md): each change as it
 * comes. After a lost connection only what has changed since.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { type RawData, WebSocket } from 'ws';
import { LAMP_LIMITS, LAMP_PATH, LAMP_PROTOCOL } from '#gateway/lamps/lamp-messages.ts';
import { backoffMs, RECONNECT } from '#gateway/panel/backoff.ts';
import { CliFailure, EXIT, refusal } from '../failure.ts';
import type { FeedEvents } from './polling-feed.ts';

export interface StreamOptions {
  /** WebSocket address of the gateway. */
  readonly gateway: string;
  /** A fresh token of the user. @throws {CliFailure} */
  readonly newToken: () => Promise<string>;
  readonly users: readonly string[];
  readonly signal: AbortSignal;
}

const party = v.optional(v.object({ uri: v.optional(v.string()) }));
const message = v.variant('type', [
  v.object({
    ...{ type: v.literal('lamp'), user: v.string(), state: v.string(), sequence: v.number() },
    dialogs: v.array(v.object({ remote: party })),
  }),
  v.object({ type: v.literal('refused'), user: v.string(), status: v.number(), reason: v.string() }),
  v.object({ type: v.picklist(['pending', 'ended']), user: v.string() }),
  v.object({ type: v.picklist(['caughtUp', 'cursor']), cursor: v.string() }),
  v.object({ type: v.literal('error'), reason: v.string() }),
]);
type Message = v.InferOutput<typeof message>;

/** What a stream has come to: where the next connection goes on, and who is not shown. */
interface Progress {
  cursor: string | undefined;
  readonly hidden: Map<string, string>;
}

/** Until the signal. @throws {CliFailure} when the user may not, which does not pass by itself */
export async function streamLamps(options: StreamOptions, events: FeedEvents): Promise<void> {
  const progress: Progress = { cursor: undefined, hidden: new Map() };
  let failures = 0;
  while (!options.signal.aborted) {
    try {
      const hasOpened = await followOnce(options, events, progress);
      failures = hasOpened ? 0 : failures + 1;
    } catch (error) {
      if (!(error instanceof CliFailure) || error.details.exitCode !== EXIT.unreachable) throw error;
      failures += 1;
    }
    if (options.signal.aborted) return;
    events.onStatus('the stream of lamps is lost; trying again');
    const pauseMs = backoffMs(RECONNECT, failures, Math.random());
    await sleep(pauseMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

/** One connection. @returns false when it did not come to be */
async function followOnce(options: StreamOptions, events: FeedEvents, progress: Progress): Promise<boolean> {
  const { gateway, newToken, users, signal } = options;
  const headers = { authorization: `Bearer ${await newToken()}` };
  const socket = new WebSocket(new URL(LAMP_PATH, gateway), [LAMP_PROTOCOL], { headers });
  const end = (): void => socket.close();
  signal.addEventListener('abort', end, { once: true });
  let refused: number | undefined;
  let hasOpened = false;
  socket.on('error', () => undefined);
  socket.on('unexpected-response', (_request, { statusCode = 0 }) => {
    refused = statusCode;
    socket.terminate();
  });
  socket.on('open', () => {
    hasOpened = true;
    const { cursor } = progress;
    socket.send(JSON.stringify(cursor === undefined ? { type: 'watch', users } : { type: 'resume', cursor }));
  });
  socket.on('message', (data) => take(data, events, progress));
  await new Promise((resolve) => socket.once('close', resolve));
  signal.removeEventListener('abort', end);
  if (refused !== undefined && refused < 500 && refused !== 429) throw notAllowed(refused);
  return hasOpened;
}

const notAllowed = (status: number): CliFailure =>
  refusal(`the gateway gives no stream of lamps (${status}).`, 'Watch without --as: the HTTP API is asked instead.');

function take(data: RawData, events: FeedEvents, progress: Progress): void {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), message), data.toString());
  // A newer gateway may say more than is known here.
  if (parsed.success) tell(parsed.output, events, progress);
}

function tell(told: Message, events: FeedEvents, progress: Progress): void {
  switch (told.type) {
    case 'lamp': {
      const { user, state, sequence, dialogs } = told;
      progress.hidden.delete(user);
      events.onLamps([{ user, lamp: state, version: sequence, remote: dialogs[0]?.remote?.uri }], false);
      break;
    }
    case 'refused':
      progress.hidden.set(told.user, `${told.user}: ${told.status} ${told.reason}`);
      break;
    case 'pending':
    case 'ended':
      progress.hidden.set(told.user, `${told.user}: ${told.type}`);
      break;
    case 'caughtUp':
    case 'cursor':
      progress.cursor = told.cursor;
      break;
    case 'error':
      events.onStatus(told.reason);
      return;
    default:
      told satisfies never;
  }
  events.onStatus([...progress.hidden.values()].join(', '));
}

/** A connection takes no more. */
export const MOST_STREAMED = LAMP_LIMITS.usersPerConnection;
