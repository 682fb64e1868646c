/** Our own calls on the page, above the board: a card each, in the order in which they began. */
import type { Call } from '#gateway/panel/call/call.ts';
import { CallCard, type CardActions } from '#gateway/panel/call/call-card.ts';
import { byId } from '#gateway/panel/dom.ts';
import type { NameOf } from '#gateway/panel/wording.ts';

export class CallsView {
  readonly #section = byId('own-calls', HTMLElement);
  readonly #list = byId('call-cards', HTMLUListElement);
  readonly #actions: CardActions;
  #cards: CallCard[] = [];
  #transferring = '';

  constructor(actions: Omit<CardActions, 'onTransferring'> & { onTransferring(): void }) {
    this.#actions = {
      ...actions,
      onTransferring: (id, open) => {
        if (open) this.#transferring = id;
        else if (this.#transferring === id) this.#transferring = '';
        actions.onTransferring();
      },
    };
  }

  /** The call that looks for whom to go to; '' when none does. */
  get transferring(): string {
    return this.#transferring;
  }

  show(calls: readonly Call[], nameOf: NameOf, online: boolean): void {
    const hadFocus = this.#list.contains(document.activeElement);
    const cards = calls.map(
      (call) => this.#cards.find(({ id }) => id === call.id) ?? new CallCard(call, this.#actions),
    );
    for (const card of this.#cards) if (!cards.includes(card)) card.item.remove();
    // A card that stays is not moved: moving it would take the focus away.
    for (const card of cards) if (!card.item.isConnected) this.#list.append(card.item);
    this.#cards = cards;
    for (const [index, call] of calls.entries()) cards[index]?.show(call, nameOf, online, Date.now());
    if (!calls.some(({ id }) => id === this.#transferring)) this.#transferring = '';
    this.#section.hidden = calls.length === 0;
    if (hadFocus && !this.#list.contains(document.activeElement)) this.focus();
  }

  /** @returns false when there is no call to go to */
  focus(): boolean {
    this.#cards[0]?.focus();
    return this.#cards.length > 0;
  }

  tick(nowMs: number): void {
    for (const card of this.#cards) card.tick(nowMs);
  }
}
