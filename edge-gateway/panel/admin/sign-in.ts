/** The form that asks for the key. */
import { problemBox } from '#gateway/panel/admin/parts.ts';
import { Refusal } from '#gateway/panel/admin/refusal.ts';
import { byId, setText } from '#gateway/panel/dom.ts';

const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);

export class SignIn {
  readonly #form = byId('sign-in', HTMLFormElement);
  readonly #key = byId('key', HTMLInputElement);
  readonly #submit = byId('submit', HTMLButtonElement);
  readonly #problem = byId('problem', HTMLElement);

  constructor(onSubmit: (key: string) => void) {
    const hint = byId('hint', HTMLElement);
    hint.hidden = !isLocal;
    setText(hint, 'Local stack: the key is local-admin-key, unless ADMIN_KEY says otherwise.');
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const key = this.#key.value.trim();
      if (key === '' || /[^\x21-\x7e]/.test(key)) this.show(new Refusal(0, 'The key is missing or misspelt.'));
      else onSubmit(key);
    });
  }

  show(refusal?: Refusal): void {
    this.#form.hidden = false;
    this.busy(false);
    this.#problem.replaceChildren(...(refusal === undefined ? [] : [problemBox(refusal)]));
    this.#key.setAttribute('aria-invalid', String(refusal !== undefined && refusal.status !== 0));
    this.#key.focus();
  }

  hide(): void {
    this.#form.hidden = true;
    this.#key.value = '';
  }

  busy(busy: boolean): void {
    this.#submit.disabled = busy;
    setText(this.#submit, busy ? 'Signing in…' : 'Sign in');
    if (busy) this.#problem.replaceChildren();
  }
}
