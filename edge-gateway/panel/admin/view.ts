/** What every view of the console is, and what it is given. */
import type { Api } from '#gateway/panel/admin/api.ts';
import type { Place } from '#gateway/panel/admin/place.ts';
import type { Account } from '#gateway/panel/admin/session.ts';

export interface View {
  readonly node: HTMLElement;
  /** Ends what runs for it: requests under way, timers. */
  stop(): void;
}

export interface ViewPorts {
  readonly api: Api;
  readonly account: Account;
  go(place: Place): void;
  /** Tells what was done: on the page, and to screen readers. */
  say(text: string): void;
}

/**
 * Runs a task now and, with a period, again and again: never twice at once, and not while nobody looks.
 * @returns what ends it
 */
export function repeat(task: (signal: AbortSignal) => Promise<void>, everyMs: number | undefined): () => void {
  const stopped = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const round = async (): Promise<void> => {
    timer = undefined;
    if (everyMs === undefined || !document.hidden) await task(stopped.signal);
    if (everyMs !== undefined && !stopped.signal.aborted) timer = setTimeout(() => void round(), everyMs);
  };
  const onLook = (): void => {
    if (document.hidden || timer === undefined) return;
    clearTimeout(timer);
    void round();
  };
  document.addEventListener('visibilitychange', onLook);
  void round();
  return () => {
    stopped.abort();
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', onLook);
  };
}
