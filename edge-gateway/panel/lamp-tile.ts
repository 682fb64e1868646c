/** One colleague on the board: a button with the lamp, the name and the call, and over the lamp one that calls or picks up. */
import { type LampAction, lampActionText } from '#gateway/panel/call/lamp-action.ts';
import { element, setAttribute, setText } from '#gateway/panel/dom.ts';
import { handsetIcon, lampIcon } from '#gateway/panel/icons.ts';
import { type Lamp, lampOf } from '#gateway/panel/lamp.ts';
import type { Presentity } from '#gateway/panel/presentity.ts';
import {
  durationText,
  lampSentence,
  lampText,
  type NameOf,
  partyName,
  partyNumber,
  relationText,
} from '#gateway/panel/wording.ts';

/** Longer numbers beside a name have their place in the details. */
const SHORT_NUMBER = 6;

export class LampTile {
  readonly item: HTMLLIElement;
  readonly button: HTMLButtonElement;
  readonly extension: string;
  /** Over the lamp: calls, picks up or transfers. */
  readonly lampButton = element('button', { type: 'button', class: 'lamp-button', tabindex: '-1' }, handsetIcon());
  readonly #unread = element('span', { class: 'unread', 'aria-hidden': 'true' });
  readonly #icon = element('span', { class: 'lamp' });
  readonly #name = element('span', { class: 'tile-name' });
  readonly #number = element('span', { class: 'tile-number' });
  readonly #state = element('span', { class: 'tile-state' });
  readonly #clock = element('span', { class: 'tile-clock', 'aria-hidden': 'true' });
  readonly #party = element('span', { class: 'tile-party' });
  #lamp: Lamp = { state: 'unknown', others: 0 };

  constructor(extension: string) {
    this.extension = extension;
    this.button = element(
      'button',
      { type: 'button', class: 'tile', tabindex: '-1', 'data-extension': extension },
      this.#icon,
      this.#name,
      this.#number,
      this.#state,
      this.#clock,
      this.#party,
      this.#unread,
    );
    this.lampButton.dataset.lampOf = extension;
    this.item = element('li', {}, this.button, this.lampButton);
  }

  /** @param unread messages of this colleague */
  show(presentity: Presentity, nameOf: NameOf, action: LampAction, unread: number, nowMs: number): void {
    this.#lamp = lampOf(presentity);
    const name = nameOf(this.extension);
    if (this.button.dataset.lamp !== this.#lamp.state) {
      this.button.dataset.lamp = this.#lamp.state;
      this.#icon.replaceChildren(lampIcon(this.#lamp.state));
      inStep(this.#icon);
    }
    setText(this.#name, name || this.extension);
    setText(this.#number, name === '' ? '' : this.extension);
    setText(this.#state, presentity.watching === 'refused' ? 'Not shown to you' : lampText(this.#lamp));
    this.#showParty(nameOf);
    setText(this.#unread, unread === 0 ? '' : String(unread));
    const news = unread === 0 ? '' : `, ${unread} unread ${unread === 1 ? 'message' : 'messages'}`;
    setAttribute(this.button, 'aria-label', lampSentence(this.extension, this.#lamp, nameOf) + news);
    this.#showAction(lampActionText(action, presentity, nameOf), action);
    this.tick(nowMs);
  }

  tick(nowMs: number): void {
    const { dialog } = this.#lamp;
    const more = dialog?.sinceKnown === false ? '+' : '';
    setText(this.#clock, dialog === undefined ? '' : durationText(nowMs - dialog.sinceMs) + more);
  }

  #showAction(text: string, action: LampAction): void {
    this.lampButton.hidden = action === 'none';
    this.lampButton.dataset.action = action;
    setAttribute(this.lampButton, 'aria-label', text);
    setAttribute(this.lampButton, 'title', text);
  }

  #showParty(nameOf: NameOf): void {
    const { dialog, others } = this.#lamp;
    if (dialog === undefined) {
      this.#party.replaceChildren();
      return;
    }
    const number = partyNumber(dialog.remote, nameOf);
    const short = number !== '' && number.length <= SHORT_NUMBER;
    this.#party.replaceChildren(
      element(
        'span',
        { class: 'party-text' },
        element('span', { class: 'relation' }, relationText(dialog)),
        ' ',
        element('span', { class: 'remote' }, partyName(dialog.remote, nameOf)),
        ...(short ? [' ', element('span', { class: 'remote-number' }, number)] : []),
      ),
      ...(others === 0 ? [] : [element('span', { class: 'more' }, `+${others}`)]),
    );
  }
}

/** All blinking lamps blink together, whenever each began. */
function inStep(icon: Element): void {
  for (const animation of icon.getAnimations({ subtree: true })) animation.startTime = 0;
}
