/** One colleague on the board: a button with the lamp, the name and the call. */
import { element, setAttribute, setText } from '#gateway/panel/dom.ts';
import { lampIcon } from '#gateway/panel/icons.ts';
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
    );
    this.item = element('li', {}, this.button);
  }

  show(presentity: Presentity, nameOf: NameOf, nowMs: number): void {
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
    setAttribute(this.button, 'aria-label', lampSentence(this.extension, this.#lamp, nameOf));
    this.tick(nowMs);
  }

  tick(nowMs: number): void {
    const { dialog } = this.#lamp;
    const more = dialog?.sinceKnown === false ? '+' : '';
    setText(this.#clock, dialog === undefined ? '' : durationText(nowMs - dialog.sinceMs) + more);
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
