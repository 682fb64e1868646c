/** The sign-in form. */
import type { Credentials } from '#gateway/panel/connection.ts';
import { byId, setText } from '#gateway/panel/dom.ts';
import { loadAccount } from '#gateway/panel/preferences.ts';
import type { Problem } from '#gateway/panel/problem.ts';

/** The seeded user of the local stack, whose password is in the README. */
const LOCAL_SIGN_IN = { user: '1001', domain: 'demo.example', password: 'demo-1001' } as const;

export class SignInView {
  readonly #form = byId('sign-in', HTMLFormElement);
  readonly #user = byId('user', HTMLInputElement);
  readonly #domain = byId('domain', HTMLInputElement);
  readonly #password = byId('password', HTMLInputElement);
  readonly #submit = byId('submit', HTMLButtonElement);
  readonly #problem = byId('problem', HTMLElement);
  readonly #hint = byId('hint', HTMLParagraphElement);

  constructor(local: boolean, onSubmit: (credentials: Credentials) => void) {
    this.#prefill(local);
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const credentials = this.#read();
      if (credentials !== undefined) onSubmit(credentials);
    });
  }

  show(problem?: Problem): void {
    this.#form.hidden = false;
    this.busy(false);
    this.#showProblem(problem);
    if (problem !== undefined && !problem.passing) this.#password.select();
    const first = [this.#domain, this.#user, this.#password].find((input) => input.value === '');
    (first ?? (problem === undefined ? this.#submit : this.#password)).focus();
  }

  hide(): void {
    this.#form.hidden = true;
    this.#password.value = '';
    this.#showProblem(undefined);
  }

  busy(busy: boolean): void {
    this.#submit.disabled = busy;
    setText(this.#submit, busy ? 'Signing in…' : 'Sign in');
    if (busy) this.#showProblem(undefined);
  }

  #prefill(local: boolean): void {
    const account = loadAccount() ?? (local ? LOCAL_SIGN_IN : undefined);
    this.#user.value = account?.user ?? '';
    this.#domain.value = account?.domain ?? '';
    if (!local) return;
    if (account?.user === LOCAL_SIGN_IN.user && account.domain === LOCAL_SIGN_IN.domain)
      this.#password.value = LOCAL_SIGN_IN.password;
    this.#hint.hidden = false;
    setText(this.#hint, 'Local stack: users 1001–1020 of demo.example, passwords demo-1001 and so on.');
  }

  #read(): Credentials | undefined {
    const user = this.#user.value.trim();
    const domain = this.#domain.value.trim().toLowerCase();
    const password = this.#password.value;
    const wrong = this.#check(user, domain, password);
    for (const input of [this.#user, this.#domain, this.#password])
      input.setAttribute('aria-invalid', String(input === wrong?.input));
    if (wrong === undefined) return { user, domain, password };
    this.#showProblem({ status: 0, title: wrong.title, advice: wrong.advice, passing: false });
    wrong.input.focus();
    return undefined;
  }

  #check(user: string, domain: string, password: string) {
    if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(domain))
      return {
        input: this.#domain,
        title: 'The company domain is missing or misspelt.',
        advice: 'It looks like company.example.',
      };
    if (user === '' || /[\s@<>"]/.test(user))
      return {
        input: this.#user,
        title: 'The user is missing or misspelt.',
        advice: 'Write only the part before the @, for example 1001.',
      };
    if (password === '') return { input: this.#password, title: 'The password is missing.', advice: '' };
    return undefined;
  }

  #showProblem(problem: Problem | undefined): void {
    this.#problem.hidden = problem === undefined;
    setText(byId('problem-title', HTMLElement), problem?.title ?? '');
    setText(byId('problem-advice', HTMLElement), problem?.advice ?? '');
  }
}
