/** The state of the line in the header, and who is signed in. */
import type { ConnectionState } from '#gateway/panel/connection.ts';
import { byId, setText } from '#gateway/panel/dom.ts';

export class StatusView {
  readonly #connection = byId('connection', HTMLElement);
  readonly #text = byId('connection-text', HTMLElement);
  readonly #retry = byId('retry', HTMLButtonElement);
  readonly #account = byId('account', HTMLElement);
  #state: ConnectionState = { kind: 'connecting' };

  constructor(actions: { onRetry: () => void; onSignOut: () => void }) {
    this.#retry.addEventListener('click', actions.onRetry);
    byId('sign-out', HTMLButtonElement).addEventListener('click', actions.onSignOut);
  }

  /** @param account `user@domain`; `undefined` when nobody is signed in */
  showAccount(account: string | undefined): void {
    this.#account.hidden = account === undefined;
    this.#connection.hidden = account === undefined;
    setText(byId('account-name', HTMLElement), account ?? '');
  }

  show(state: ConnectionState): void {
    this.#state = state;
    this.#connection.dataset.kind = state.kind;
    this.#retry.hidden = state.kind !== 'offline';
    this.tick(Date.now());
  }

  tick(nowMs: number): void {
    setText(this.#text, this.#words(nowMs));
  }

  #words(nowMs: number): string {
    const state = this.#state;
    switch (state.kind) {
      case 'online':
        return 'Live';
      case 'connecting':
        return 'Connecting…';
      case 'offline':
        return `Not connected. Next try in ${Math.max(0, Math.ceil((state.retryAtMs - nowMs) / 1000))} s`;
      case 'refused':
        return 'Signed out';
      default:
        return state satisfies never;
    }
  }
}
