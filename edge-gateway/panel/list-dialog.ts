/** The dialog that edits who is on the board. */
import { byId, setText } from '#gateway/panel/dom.ts';
import { formatWatchList, parseWatchList } from '#gateway/panel/watch-list.ts';

export class ListDialog {
  readonly #dialog = byId('list-dialog', HTMLDialogElement);
  readonly #text = byId('list-text', HTMLTextAreaElement);
  readonly #problem = byId('list-problem', HTMLParagraphElement);

  constructor(onSave: (extensions: readonly string[]) => void) {
    byId('list-cancel', HTMLButtonElement).addEventListener('click', () => this.#dialog.close());
    byId('list-form', HTMLFormElement).addEventListener('submit', (event) => {
      const list = parseWatchList(this.#text.value);
      if ('extensions' in list) return onSave(list.extensions);
      event.preventDefault();
      this.#showProblem(list.problem);
      this.#text.focus();
    });
  }

  open(extensions: readonly string[]): void {
    this.#showProblem('');
    this.#text.value = formatWatchList(extensions);
    this.#dialog.showModal();
  }

  #showProblem(problem: string): void {
    this.#problem.hidden = problem === '';
    setText(this.#problem, problem);
  }
}
