/** Whom to hand a call to: typed here, or by a press on a lamp meanwhile. */
import { element, setText } from '#gateway/panel/dom.ts';

export interface TransferFormPorts {
  /** @returns what is wrong; '' when it was taken */
  onSubmit(typed: string): string;
  onOpen(open: boolean): void;
}

export class TransferForm {
  readonly form = element('form', { class: 'transfer', novalidate: '', 'aria-label': 'Transfer the call' });
  readonly #input = element('input', {
    list: 'colleagues',
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    'aria-label': 'Transfer to',
    placeholder: 'Name or number',
  });
  readonly #problem = element('p', { class: 'problem', role: 'alert' });
  readonly #ports: TransferFormPorts;

  constructor(ports: TransferFormPorts) {
    this.#ports = ports;
    const cancel = element('button', { type: 'button', class: 'quiet' }, 'Cancel');
    const send = element('button', { type: 'submit', class: 'primary' }, 'Transfer');
    const hint = element('span', { class: 'hint' }, 'or press the lamp of a colleague');
    this.form.append(this.#input, send, cancel, hint, this.#problem);
    this.form.hidden = true;
    this.#say('');
    cancel.addEventListener('click', () => this.close());
    this.form.addEventListener('keydown', ({ key }) => key === 'Escape' && this.close());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#say(ports.onSubmit(this.#input.value));
    });
  }

  toggle(): void {
    if (this.form.hidden) this.#open();
    else this.close();
  }

  close(): void {
    if (this.form.hidden) return;
    this.form.hidden = true;
    this.#ports.onOpen(false);
  }

  #open(): void {
    this.form.hidden = false;
    this.#input.value = '';
    this.#say('');
    this.#input.focus();
    this.#ports.onOpen(true);
  }

  #say(problem: string): void {
    this.#problem.hidden = problem === '';
    setText(this.#problem, problem);
  }
}
