/** Turns the pages of a list whose cursors only lead on: those passed are kept, so that one can go back. */
import { button } from '#gateway/panel/admin/parts.ts';
import { element, setText } from '#gateway/panel/dom.ts';

export class Pager {
  readonly node: HTMLElement;
  readonly #where = element('span', { class: 'hint', role: 'status' });
  readonly #back: HTMLButtonElement;
  readonly #on: HTMLButtonElement;
  /** Of the pages up to the one after this, as far as they are known. */
  #cursors: (string | undefined)[] = [undefined];
  #at = 0;

  constructor(onTurn: () => void) {
    const turn = (by: 1 | -1) => () => {
      this.#at += by;
      onTurn();
    };
    this.#back = button('Previous', 'quiet', turn(-1), 'Previous page');
    this.#on = button('Next', 'quiet', turn(1), 'Next page');
    this.node = element('div', { class: 'pages', hidden: '' }, this.#back, this.#where, this.#on);
  }

  /** Of the page that is to be shown. */
  get cursor(): string | undefined {
    return this.#cursors[this.#at];
  }

  /** Back to the first page, of another list. */
  reset(): void {
    this.#cursors = [undefined];
    this.#at = 0;
  }

  /**
   * Takes what a page said of the next.
   * @returns false when the page has been emptied meanwhile, and the one before is to be read
   */
  arrived(count: number, next: string | undefined): boolean {
    if (count === 0 && next === undefined && this.#at > 0) {
      this.#at -= 1;
      return false;
    }
    this.#cursors = [...this.#cursors.slice(0, this.#at + 1), ...(next === undefined ? [] : [next])];
    const isLast = next === undefined;
    this.node.hidden = isLast && this.#at === 0;
    this.#back.disabled = this.#at === 0;
    this.#on.disabled = isLast;
    setText(this.#where, `Page ${this.#at + 1}${isLast ? ', the last' : ''}`);
    return true;
  }
}
