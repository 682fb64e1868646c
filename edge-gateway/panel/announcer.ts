/** Speaks through the live region, in moderation: news of a few seconds become one message. */
import { byId } from '#gateway/panel/dom.ts';

const GATHER_MS = 1_500;
/** More than this at once is only counted. */
const SPOKEN_AT_ONCE = 2;

export class Announcer {
  readonly #region = byId('announcer', HTMLParagraphElement);
  readonly #urgent = byId('urgent-announcer', HTMLParagraphElement);
  #waiting = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A later message about the same subject replaces one that has not been spoken yet. */
  say(subject: string, message: string): void {
    this.#waiting.delete(subject);
    this.#waiting.set(subject, message);
    this.#timer ??= setTimeout(() => this.#speak(), GATHER_MS);
  }

  /** Spoken at once, whatever else is being read: a call that comes in. */
  sayNow(message: string): void {
    this.#urgent.textContent = message;
  }

  forget(subject: string): void {
    this.#waiting.delete(subject);
  }

  #speak(): void {
    const messages = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#timer = undefined;
    const more = messages.length - SPOKEN_AT_ONCE;
    const spoken = messages.slice(0, SPOKEN_AT_ONCE).join('. ');
    this.#region.textContent = more > 0 ? `${spoken}. And ${more} more changes` : spoken;
  }
}
