/** The field to call a number or a name, with the colleagues to choose from. */
import type { Colleague } from '#gateway/panel/call/dial.ts';
import { byId, element, setText } from '#gateway/panel/dom.ts';

export class DialView {
  readonly #input = byId('dial-text', HTMLInputElement);
  readonly #problem = byId('dial-problem', HTMLParagraphElement);
  readonly #colleagues = byId('colleagues', HTMLDataListElement);

  /** @param onDial gives what is wrong with what was typed; '' when the call begins */
  constructor(onDial: (typed: string) => string) {
    byId('dial', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      const problem = onDial(this.#input.value);
      this.#say(problem);
      if (problem === '') this.#input.value = '';
      else this.#input.focus();
    });
    this.#input.addEventListener('input', () => this.#say(''));
  }

  suggest(colleagues: readonly Colleague[]): void {
    this.#colleagues.replaceChildren(
      ...colleagues.map(({ extension, name }) => element('option', { value: extension, label: name })),
    );
  }

  #say(problem: string): void {
    this.#problem.hidden = problem === '';
    this.#input.setAttribute('aria-invalid', String(problem !== ''));
    setText(this.#problem, problem);
  }
}
