/** One colleague: what can be done, their calls, and what was written; when none is chosen, what the lamps mean. */
import { type LampAction, lampActionText } from '#gateway/panel/call/lamp-action.ts';
import { ConversationView } from '#gateway/panel/chat/conversation-view.ts';
import type { Conversations } from '#gateway/panel/chat/conversations.ts';
import { byId, element, setAttribute, setText } from '#gateway/panel/dom.ts';
import { lampIcon } from '#gateway/panel/icons.ts';
import { activityOf, LAMP_NAMES, LAMP_STATES, lampOf, liveDialogs } from '#gateway/panel/lamp.ts';
import type { Presentity, TrackedDialog } from '#gateway/panel/presentity.ts';
import { ACTIVITY_NAMES, durationText, lampText, type NameOf, partyName, partyNumber } from '#gateway/panel/wording.ts';

const LAMP_OF_ACTIVITY = { ringing: 'ringing', talking: 'busy', dialling: 'busy', held: 'held' } as const;
const LAMP_MEANINGS = {
  idle: 'No call',
  ringing: 'Somebody is calling them',
  busy: 'Talking, or calling somebody',
  held: 'The call waits',
  unknown: 'Not told by the server',
} as const;
const DIRECTIONS = { recipient: 'Incoming', initiator: 'Outgoing' } as const;

export interface DetailsPorts {
  onClose(): void;
  /** Calls, picks up or transfers, whichever it is now. */
  onLamp(extension: string): void;
  actionOf(presentity: Presentity): LampAction;
  canWrite(who: string): boolean;
  /** @returns what is wrong with the text; '' when it is on its way */
  onMessage(who: string, text: string): string;
  conversations(): Conversations;
}

export class DetailsView {
  readonly #panel = byId('details', HTMLElement);
  readonly #title = element('h2');
  readonly #extension = element('p', { class: 'details-extension' });
  readonly #state = element('p', { class: 'details-state' });
  readonly #calls = element('ul', { class: 'calls' });
  readonly #updated = element('p', { class: 'hint' });
  readonly #act = element('button', { type: 'button', class: 'primary act' });
  readonly #conversation: ConversationView;
  readonly #content = element('div', { class: 'details-content' });
  readonly #legend = legend();
  #clocks: { readonly node: Element; readonly dialog: TrackedDialog }[] = [];

  readonly #ports: DetailsPorts;
  #who = '';

  constructor(ports: DetailsPorts) {
    this.#ports = ports;
    this.#conversation = new ConversationView(ports.onMessage);
    const close = element('button', { type: 'button', class: 'quiet close', 'aria-label': 'Close details' }, '✕');
    close.addEventListener('click', () => ports.onClose());
    this.#act.addEventListener('click', () => ports.onLamp(this.#who));
    this.#panel.addEventListener('keydown', ({ key }) => key === 'Escape' && ports.onClose());
    this.#content.append(close, this.#title, this.#extension, this.#state, this.#act, this.#calls, this.#updated);
    this.#content.append(this.#conversation.section);
    this.#panel.append(this.#legend, this.#content);
    this.hide();
  }

  hide(): void {
    this.#choose(false);
    this.#clocks = [];
  }

  show(presentity: Presentity, nameOf: NameOf, nowMs: number): void {
    const lamp = lampOf(presentity);
    const name = nameOf(presentity.extension);
    this.#who = presentity.extension;
    this.#choose(true);
    this.#showAct(presentity, nameOf);
    setText(this.#title, name || presentity.extension);
    setText(this.#extension, name === '' ? '' : `Extension ${presentity.extension}`);
    setAttribute(this.#state, 'data-lamp', lamp.state);
    this.#state.replaceChildren(lampIcon(lamp.state), stateText(presentity, lampText(lamp)));
    this.#clocks = [];
    this.#calls.replaceChildren(
      ...(lamp.state === 'unknown' ? [] : liveDialogs(presentity)).map((dialog) => this.#call(dialog, nameOf)),
    );
    const at = presentity.updatedAtMs;
    setText(this.#updated, at === undefined ? '' : `Last change received at ${clockTime(at)}`);
    this.tick(nowMs);
  }

  focusMessage(): void {
    this.#conversation.focus();
  }

  #showAct(presentity: Presentity, nameOf: NameOf): void {
    const action = this.#ports.actionOf(presentity);
    const { extension } = presentity;
    this.#act.hidden = action === 'none';
    setText(this.#act, lampActionText(action, presentity, nameOf));
    this.#conversation.section.hidden = !this.#ports.canWrite(extension);
    this.#conversation.show(extension, nameOf(extension) || extension, this.#ports.conversations());
  }

  tick(nowMs: number): void {
    for (const { node, dialog } of this.#clocks) setText(node, durationText(nowMs - dialog.sinceMs));
  }

  #choose(chosen: boolean): void {
    this.#content.hidden = !chosen;
    this.#legend.hidden = chosen;
    this.#panel.dataset.shows = chosen ? 'calls' : 'legend';
  }

  #call(dialog: TrackedDialog, nameOf: NameOf): HTMLLIElement {
    const activity = activityOf(dialog);
    const clock = element('span', { class: 'tile-clock' });
    this.#clocks.push({ node: clock, dialog });
    const number = partyNumber(dialog.remote, nameOf);
    const since = `${dialog.sinceKnown ? 'since' : 'since before'} ${clockTime(dialog.sinceMs)}`;
    return element(
      'li',
      { 'data-lamp': LAMP_OF_ACTIVITY[activity] },
      element('span', { class: 'call-party' }, partyName(dialog.remote, nameOf)),
      element('span', { class: 'remote-number' }, number),
      element(
        'span',
        { class: 'call-facts' },
        `${dialog.direction === undefined ? 'Call' : DIRECTIONS[dialog.direction]} · ${ACTIVITY_NAMES[activity].toLowerCase()} ${since}`,
      ),
      clock,
    );
  }
}

function legend(): HTMLElement {
  const entries = LAMP_STATES.map((state) =>
    element(
      'li',
      { 'data-lamp': state },
      lampIcon(state),
      element('b', {}, LAMP_NAMES[state]),
      element('span', { class: 'hint' }, LAMP_MEANINGS[state]),
    ),
  );
  return element(
    'div',
    { class: 'legend' },
    element('h2', {}, 'What the lamps say'),
    element('ul', {}, ...entries),
    element('p', { class: 'hint' }, 'Choose a colleague to see who they are talking to.'),
  );
}

function stateText({ watching, refusal }: Presentity, lamp: string): string {
  if (watching === 'refused') return `Not shown to you (${refusal || 'refused'}). Ask your administrator for access.`;
  return watching === 'waiting' ? 'Unknown until the server answers' : lamp;
}

function clockTime(atMs: number): string {
  return new Date(atMs).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}
