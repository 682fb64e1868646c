/** Webhooks: whom they are told of, how an answer is judged, when a failing one is tried again. Pure. */

/** What a webhook can be told of; each is the `type` of its messages. */
export const WEBHOOK_EVENTS = ['lamp', 'presence', 'messages'] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** What is set of a webhook. Without `users` and `groups` it is told of everybody, else of whoever is in either. */
export interface WebhookSettings {
  readonly url: string;
  readonly description?: string | undefined;
  readonly events: readonly WebhookEvent[];
  readonly users?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
  /** The user as whom it watches; without one it stands for itself, and is in no group. */
  readonly watcher?: string | undefined;
  readonly enabled: boolean;
}

/** As whom it watches: users name it so in what they say of watchers. */
export const watcherOf = (id: string, { watcher }: Pick<WebhookSettings, 'watcher'>): string =>
  watcher ?? `webhook-${id}`;

type Scope = Pick<WebhookSettings, 'users' | 'groups'>;

/** True when it is told of this user, in these groups. */
export function concerns({ users, groups }: Scope, user: string, isIn: readonly string[]): boolean {
  if (users === undefined && groups === undefined) return true;
  return users?.includes(user) === true || groups?.some((group) => isIn.includes(group)) === true;
}

/** False when it is not told of this user, whatever the user's groups. */
export const mayConcern = (scope: Scope, user: string): boolean =>
  scope.groups !== undefined || concerns(scope, user, []);

/** What came of one POST. */
export type WebhookAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterSeconds?: number | undefined }
  /** `isSlow`: nobody answered in time. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isSlow: boolean };

/** `refused`: this message only; `failed`: the receiver is in trouble; `gone`: it wants nothing any more. */
export type Verdict = 'delivered' | 'refused' | 'failed' | 'gone';

/** Statuses that are about one message, and tell nothing of the next one. */
const OF_ONE_MESSAGE: ReadonlySet<number> = new Set([400, 409, 413, 415, 422]);

export function judge(answer: WebhookAnswer): Verdict {
  if (answer.kind === 'failed') return 'failed';
  const { status } = answer;
  if (status >= 200 && status < 300) return 'delivered';
  if (status === 410) return 'gone';
  return OF_ONE_MESSAGE.has(status) ? 'refused' : 'failed';
}

/** For operators: never what the receiver wrote. */
export const reasonOf = (answer: WebhookAnswer): string =>
  answer.kind === 'failed' ? answer.reason : `answered ${answer.status}`;

const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 3_600_000;
/** So long without a success ends a webhook; a message that is so old is given up. */
export const GIVE_UP_AFTER_MS = 72 * 3_600_000;

/**
 * Doubles from 5 s to an hour; half of it is left to chance, so that many do not come back at once.
 * @param failures in a row, the last one included
 * @param chance 0 to 1
 * @param retryAfterSeconds what the receiver asks for, an hour at most
 */
export function retryDelayMs(failures: number, chance: number, retryAfterSeconds = 0): number {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20));
  const own = Math.round(longest / 2 + (chance * longest) / 2);
  return Math.max(own, Math.min(retryAfterSeconds * 1_000, LONGEST_RETRY_MS));
}
