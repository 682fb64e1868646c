/** The board on the page: tiles, one tab stop with arrow keys between them, counts, and the chosen colleague's details. */

import type { Board } from '#gateway/panel/board.ts';
import type { LampAction } from '#gateway/panel/call/lamp-action.ts';
import { type Conversations, conversationWith } from '#gateway/panel/chat/conversations.ts';
import { DetailsView } from '#gateway/panel/details-view.ts';
import { byId, element, setText } from '#gateway/panel/dom.ts';
import { nextIndex } from '#gateway/panel/grid-keys.ts';
import { lampIcon } from '#gateway/panel/icons.ts';
import { LAMP_NAMES, LAMP_STATES } from '#gateway/panel/lamp.ts';
import { LampTile } from '#gateway/panel/lamp-tile.ts';
import type { Presentity } from '#gateway/panel/presentity.ts';

/** Typed characters belong to one search until this pause. */
const TYPING_PAUSE_MS = 800;

export interface BoardPorts {
  /** What a press on the lamp does now. */
  actionOf(presentity: Presentity): LampAction;
  onLamp(extension: string): void;
  canWrite(who: string): boolean;
  onMessage(who: string, text: string): string;
  conversations(): Conversations;
  /** The details of a colleague are open now. */
  onChosen(extension: string): void;
}

export class BoardView {
  readonly #section = byId('board', HTMLElement);
  readonly #lamps = byId('lamps', HTMLUListElement);
  readonly #summary = byId('summary', HTMLUListElement);
  readonly #empty = byId('empty', HTMLParagraphElement);
  readonly #details: DetailsView;
  readonly #ports: BoardPorts;
  #board: Board | undefined;
  #tiles: LampTile[] = [];
  #selected = '';
  #typed = { text: '', atMs: 0 };

  constructor(ports: BoardPorts) {
    this.#ports = ports;
    this.#details = new DetailsView({ ...ports, onClose: () => this.#closeDetails() });
    this.#lamps.addEventListener('keydown', (event) => this.#onKey(event));
    this.#lamps.addEventListener('click', (event) => this.#onClick(event));
    this.#lamps.addEventListener('focusin', (event) => this.#setTabStop(this.#tileOf(event.target)));
  }

  /** The colleague whose details are open; '' when none. */
  get selected(): string {
    return this.#selected;
  }

  show(board: Board | undefined): void {
    this.#board = board;
    this.#section.hidden = board === undefined;
    this.#selected = '';
    this.#details.hide();
    this.rebuild();
  }

  /** The list of colleagues has changed. */
  rebuild(): void {
    const extensions = this.#board?.extensions ?? [];
    this.#tiles = extensions.map(
      (extension) => this.#tiles.find((tile) => tile.extension === extension) ?? new LampTile(extension),
    );
    this.#lamps.replaceChildren(...this.#tiles.map((tile) => tile.item));
    this.#empty.hidden = extensions.length > 0;
    this.#setTabStop(this.#tiles[0]);
    if (!extensions.includes(this.#selected)) this.#closeDetails();
    this.showAll();
  }

  /** Everything anew: names have been learnt, and others may speak of them. */
  showAll(): void {
    for (const tile of this.#tiles) this.#showTile(tile);
    this.#showSummary();
    this.#showDetails();
  }

  showOne(extension: string): void {
    const tile = this.#tiles.find((candidate) => candidate.extension === extension);
    if (tile !== undefined) this.#showTile(tile);
    this.#showSummary();
    if (extension === this.#selected) this.#showDetails();
  }

  /** Opens the conversation with somebody, on the board or not. */
  openMessages(who: string): void {
    if (this.#selected !== who) this.#choose(who);
    this.#details.focusMessage();
  }

  tick(nowMs: number): void {
    for (const tile of this.#tiles) tile.tick(nowMs);
    this.#details.tick(nowMs);
  }

  #showTile(tile: LampTile): void {
    if (this.#board === undefined) return;
    const presentity = this.#board.get(tile.extension);
    const { unread } = conversationWith(this.#ports.conversations(), tile.extension);
    tile.show(presentity, this.#board.nameOf, this.#ports.actionOf(presentity), unread, Date.now());
  }

  #showSummary(): void {
    if (this.#board === undefined) return;
    const counts = this.#board.counts();
    for (const state of LAMP_STATES) {
      const count = counts.get(state) ?? 0;
      let entry = this.#summary.querySelector<HTMLLIElement>(`[data-lamp=${state}]`);
      if (entry === null) {
        entry = element(
          'li',
          { 'data-lamp': state },
          lampIcon(state),
          element('b'),
          ` ${LAMP_NAMES[state].toLowerCase()}`,
        );
        this.#summary.append(entry);
      }
      entry.hidden = state === 'unknown' && count === 0;
      const number = entry.querySelector('b');
      if (number !== null) setText(number, String(count));
    }
  }

  #showDetails(): void {
    if (this.#board === undefined || this.#selected === '') return;
    this.#details.show(this.#board.get(this.#selected), this.#board.nameOf, Date.now());
  }

  #choose(extension: string): void {
    this.#selected = extension === this.#selected ? '' : extension;
    for (const tile of this.#tiles) tile.button.setAttribute('aria-pressed', String(tile.extension === this.#selected));
    if (this.#selected === '') this.#details.hide();
    else this.#showDetails();
    if (this.#selected !== '') this.#ports.onChosen(this.#selected);
  }

  #closeDetails(): void {
    if (this.#selected === '') return;
    const tile = this.#tiles.find((candidate) => candidate.extension === this.#selected);
    this.#choose(this.#selected);
    tile?.button.focus();
  }

  #onClick(event: Event): void {
    const tile = this.#tileOf(event.target);
    if (tile === undefined) return;
    if (event.target instanceof Node && tile.lampButton.contains(event.target)) this.#ports.onLamp(tile.extension);
    else this.#choose(tile.extension);
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const index = this.#tiles.findIndex((tile) => tile.button === event.target);
    if (event.key === 'Escape') this.#closeDetails();
    if (event.key === 'Enter' && event.shiftKey) {
      // Enter alone opens the details; with Shift it presses the lamp.
      event.preventDefault();
      const pressed = this.#tiles[index];
      if (pressed !== undefined) this.#ports.onLamp(pressed.extension);
      return;
    }
    const next = nextIndex(event.key, index, this.#tiles.length, this.#columns()) ?? this.#search(event.key);
    const tile = next === undefined ? undefined : this.#tiles[next];
    if (tile === undefined) return;
    event.preventDefault();
    tile.button.focus();
  }

  /** Digits and letters jump to the extension or name that begins with them. */
  #search(key: string): number | undefined {
    if (!/^[\p{L}\p{N}]$/u.test(key)) return undefined;
    const nowMs = Date.now();
    const text = (nowMs - this.#typed.atMs > TYPING_PAUSE_MS ? '' : this.#typed.text) + key.toLowerCase();
    this.#typed = { text, atMs: nowMs };
    const found = this.#tiles.findIndex(({ extension }) => {
      const name = this.#board?.nameOf(extension).toLowerCase() ?? '';
      return [extension.toLowerCase(), ...name.split(/\s+/)].some((word) => word.startsWith(text));
    });
    return found < 0 ? undefined : found;
  }

  #columns(): number {
    return getComputedStyle(this.#lamps).gridTemplateColumns.split(' ').length;
  }

  #tileOf(target: EventTarget | null): LampTile | undefined {
    return this.#tiles.find(({ item }) => target instanceof Node && item.contains(target));
  }

  #setTabStop(tile: LampTile | undefined): void {
    if (tile === undefined) return;
    for (const { button } of this.#tiles) button.tabIndex = button === tile.button ? 0 : -1;
  }
}
