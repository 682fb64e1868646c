/** What went wrong and what was missed, until it is put away. */
import { byId, element } from '#gateway/panel/dom.ts';

const MOST = 4;

export interface Notice {
  readonly kind: 'problem' | 'missed' | 'message';
  readonly title: string;
  readonly advice: string;
  /** Something to do about it. */
  readonly action?: { readonly text: string; readonly run: () => void };
  /** A later notice about the same takes its place. */
  readonly about: string;
}

export class NoticesView {
  readonly #list = byId('notices', HTMLUListElement);

  add(notice: Notice): void {
    this.forget(notice.about);
    while (this.#list.children.length >= MOST) this.#list.firstElementChild?.remove();
    const item = element('li', { class: `notice ${notice.kind}`, 'data-about': notice.about });
    const text = element('span', { class: 'notice-text' }, element('strong', {}, notice.title), ' ', notice.advice);
    item.append(text, ...this.#buttons(notice));
    this.#list.append(item);
  }

  forget(about: string): void {
    for (const item of [...this.#list.children])
      if (item instanceof HTMLElement && item.dataset.about === about) item.remove();
  }

  clear(): void {
    this.#list.replaceChildren();
  }

  #buttons({ about, action, title }: Notice): HTMLButtonElement[] {
    const close = element('button', { type: 'button', class: 'quiet close', 'aria-label': `Dismiss: ${title}` }, '✕');
    close.addEventListener('click', () => this.forget(about));
    if (action === undefined) return [close];
    const act = element('button', { type: 'button', class: 'quiet' }, action.text);
    act.addEventListener('click', () => {
      this.forget(about);
      action.run();
    });
    return [act, close];
  }
}
