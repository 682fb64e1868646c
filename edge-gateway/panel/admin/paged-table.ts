/** A list of the API as a table, page by page; one that refreshes itself keeps focus and what has not changed. */
import type { Page } from '#gateway/panel/admin/json.ts';
import { Pager } from '#gateway/panel/admin/pager.ts';
import { setEmpty, setProblem } from '#gateway/panel/admin/parts.ts';
import { repeat, type View } from '#gateway/panel/admin/view.ts';
import { element } from '#gateway/panel/dom.ts';

export interface Column<T> {
  readonly title: string;
  readonly cell: (item: T) => Node | string;
  readonly isNumber?: boolean;
}

export interface TableOptions<T> {
  /** What the table holds, for screen readers. */
  readonly caption: string;
  readonly columns: readonly Column<T>[];
  readonly keyOf: (item: T) => string;
  readonly load: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>;
  /** Said when there is nothing, and what to do then. */
  readonly empty: string;
  /** Reads the page again after this time, again and again. */
  readonly refreshMs?: number;
}

interface Row {
  readonly json: string;
  readonly node: HTMLTableRowElement;
}

export class PagedTable<T> implements View {
  readonly node: HTMLElement;
  readonly #options: TableOptions<T>;
  readonly #body = element('tbody');
  readonly #notice = element('div', {});
  readonly #frame: HTMLElement;
  readonly #pager = new Pager(() => this.reload());
  #rows = new Map<string, Row>();
  #stop: () => void = () => undefined;

  constructor(options: TableOptions<T>) {
    this.#options = options;
    const titles = options.columns.map(({ title, isNumber }) =>
      element('th', { scope: 'col', ...(isNumber && { class: 'number' }) }, title),
    );
    const caption = element('caption', { class: 'visually-hidden' }, options.caption);
    const table = element('table', {}, caption, element('thead', {}, element('tr', {}, ...titles)), this.#body);
    this.#frame = element('div', { class: 'table-frame', hidden: '' }, table);
    this.node = element('div', { class: 'paged' }, this.#frame, this.#notice, this.#pager.node);
    this.reload();
  }

  /** Reads the page that is shown once more. */
  reload(): void {
    this.#stop();
    this.#stop = repeat((signal) => this.#load(signal), this.#options.refreshMs);
  }

  /** Begins with the first page of what is another list now. */
  restart(): void {
    this.#pager.reset();
    this.reload();
  }

  stop(): void {
    this.#stop();
  }

  async #load(signal: AbortSignal): Promise<void> {
    try {
      const { items, next } = await this.#options.load(this.#pager.cursor, signal);
      if (signal.aborted) return;
      if (this.#pager.arrived(items.length, next)) this.#show(items);
      else this.reload();
    } catch (error) {
      if (!signal.aborted) setProblem(this.#notice, error, () => this.reload());
    }
  }

  #show(items: readonly T[]): void {
    this.#frame.hidden = items.length === 0;
    setEmpty(this.#notice, items.length === 0 ? this.#options.empty : undefined);
    const rows = new Map(items.map((item) => [this.#options.keyOf(item), this.#rowOf(item)]));
    const focused = this.#focusedControl();
    const nodes = [...rows.values()].map(({ node }) => node);
    const isSame = nodes.length === this.#body.rows.length && nodes.every((node, at) => node === this.#body.rows[at]);
    this.#rows = rows;
    if (isSame) return;
    this.#body.replaceChildren(...nodes);
    if (focused !== undefined) controlsIn(rows.get(focused.key)?.node)[focused.at]?.focus();
  }

  /** Rows that say the same stay as they are. */
  #rowOf(item: T): Row {
    const json = JSON.stringify(item);
    const before = this.#rows.get(this.#options.keyOf(item));
    if (before?.json === json) return before;
    const cells = this.#options.columns.map(({ title, cell, isNumber }) =>
      element('td', { 'data-title': title, ...(isNumber && { class: 'number' }) }, cell(item)),
    );
    return { json, node: element('tr', {}, ...cells) };
  }

  #focusedControl(): { readonly key: string; readonly at: number } | undefined {
    for (const [key, { node }] of this.#rows) {
      const at = controlsIn(node).indexOf(document.activeElement as HTMLElement);
      if (at >= 0) return { key, at };
    }
    return undefined;
  }
}

const controlsIn = (node: HTMLElement | undefined): HTMLElement[] => [
  ...(node?.querySelectorAll<HTMLElement>('a, button, summary') ?? []),
];
