/** One call of our own on the page: who, how long, and the buttons that fit its state. */
import { type Call, callText, lampOfCall } from '#gateway/panel/call/call.ts';
import { SHORTCUTS } from '#gateway/panel/call/call-keys.ts';
import { TransferForm } from '#gateway/panel/call/transfer-form.ts';
import { element, setAttribute, setText } from '#gateway/panel/dom.ts';
import { lampIcon } from '#gateway/panel/icons.ts';
import { durationText, type NameOf, partyName, partyNumber } from '#gateway/panel/wording.ts';

export interface CardActions {
  onAnswer(id: string): void;
  onHangUp(id: string): void;
  onHold(id: string, held: boolean): void;
  onMute(id: string, muted: boolean): void;
  /** The form was opened or closed. */
  onTransferring(id: string, open: boolean): void;
  /** @returns what is wrong with what was typed; '' when the transfer begins */
  onTransfer(id: string, typed: string): string;
}

export class CallCard {
  readonly item: HTMLLIElement;
  readonly #icon = element('span', { class: 'lamp' });
  readonly #who = element('span', { class: 'call-who' });
  readonly #number = element('span', { class: 'remote-number' });
  readonly #state = element('span', { class: 'call-state' });
  readonly #clock = element('span', { class: 'tile-clock', 'aria-hidden': 'true' });
  readonly #answer = button('Accept', 'primary accept', SHORTCUTS.answer);
  readonly #hold = button('Hold', 'quiet', SHORTCUTS.hold);
  readonly #mute = button('Mute', 'quiet', SHORTCUTS.mute);
  readonly #transfer = button('Transfer', 'quiet');
  readonly #hangUp = button('Hang up', 'primary hang-up', SHORTCUTS.hangUp);
  readonly #form: TransferForm;
  #call: Call;

  constructor(call: Call, actions: CardActions) {
    this.#call = call;
    const { id } = call;
    this.#form = new TransferForm({
      onSubmit: (typed) => actions.onTransfer(id, typed),
      onOpen: (open) => {
        setAttribute(this.#transfer, 'aria-expanded', String(open));
        actions.onTransferring(id, open);
      },
    });
    const who = element('span', { class: 'call-party-line' }, this.#who, ' ', this.#number);
    const state = element('span', { class: 'call-state-line' }, this.#state, ' ', this.#clock);
    const buttons = element('span', { class: 'call-buttons' });
    buttons.append(this.#answer, this.#hold, this.#mute, this.#transfer, this.#hangUp);
    this.item = element(
      'li',
      { class: 'call-card', 'data-call': id },
      this.#icon,
      who,
      state,
      buttons,
      this.#form.form,
    );
    this.#answer.addEventListener('click', () => actions.onAnswer(id));
    this.#hangUp.addEventListener('click', () => actions.onHangUp(id));
    this.#hold.addEventListener('click', () => actions.onHold(id, !this.#call.held));
    this.#mute.addEventListener('click', () => actions.onMute(id, !this.#call.muted));
    this.#transfer.addEventListener('click', () => this.#form.toggle());
  }

  get id(): string {
    return this.#call.id;
  }

  show(call: Call, nameOf: NameOf, online: boolean, nowMs: number): void {
    this.#call = call;
    const lamp = lampOfCall(call);
    if (this.item.dataset.lamp !== lamp) this.#icon.replaceChildren(lampIcon(lamp));
    this.item.dataset.lamp = lamp;
    this.item.dataset.phase = call.phase;
    setText(this.#who, partyName(call.party, nameOf));
    setText(this.#number, partyNumber(call.party, nameOf));
    setText(this.#state, callText(call, online));
    this.#showButtons(call, online);
    this.tick(nowMs);
  }

  tick(nowMs: number): void {
    setText(this.#clock, this.#call.phase === 'talking' ? durationText(nowMs - this.#call.sinceMs) : '');
  }

  focus(): void {
    const first = [this.#answer, this.#hangUp].find(({ hidden, disabled }) => !hidden && !disabled);
    first?.focus();
  }

  #showButtons(call: Call, online: boolean): void {
    const talking = call.phase === 'talking';
    const leaving = call.transferTo !== '' || call.handedOn;
    this.#answer.hidden = call.phase !== 'incoming';
    for (const one of [this.#hold, this.#mute, this.#transfer]) one.hidden = !talking;
    this.#hold.disabled = !online || leaving;
    this.#transfer.disabled = !online || leaving;
    this.#mute.disabled = call.held;
    setText(this.#hold, call.held ? 'Resume' : 'Hold');
    setText(this.#mute, call.muted ? 'Unmute' : 'Mute');
    setAttribute(this.#mute, 'aria-pressed', String(call.muted));
    setText(this.#hangUp, HANG_UP[call.phase]);
    if (!talking || leaving) this.#form.close();
  }
}

const HANG_UP = {
  incoming: 'Decline',
  calling: 'Cancel',
  ringing: 'Cancel',
  answering: 'Hang up',
  talking: 'Hang up',
} as const;

function button(text: string, look: string, keys?: string): HTMLButtonElement {
  const made = element('button', { type: 'button', class: look }, text);
  if (keys !== undefined) {
    made.setAttribute('aria-keyshortcuts', keys);
    made.title = keys;
  }
  return made;
}
