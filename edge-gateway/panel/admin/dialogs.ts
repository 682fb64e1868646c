/** Dialogs: a form, a confirmation that must be typed, a secret that is shown once. */
import { createForm, type FormOptions } from '#gateway/panel/admin/form.ts';
import { button } from '#gateway/panel/admin/parts.ts';
import { element, setText } from '#gateway/panel/dom.ts';

let count = 0;

/** Opens a modal dialog; it leaves the page when it is closed. */
export function openDialog(title: string, ...content: Node[]): HTMLDialogElement {
  const id = `dialog-${++count}`;
  const heading = element('h2', { id }, title);
  const dialog = element('dialog', { class: 'list-dialog', 'aria-labelledby': id }, heading, ...content);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** A form in a dialog, which closes when what it sends was taken. */
export function openForm(title: string, options: Omit<FormOptions, 'onCancel'>, ...lead: Node[]): void {
  const form = createForm({
    ...options,
    onCancel: () => dialog.close(),
    submit: async (values) => {
      await options.submit(values);
      dialog.close();
    },
  });
  const dialog = openDialog(title, ...lead, form);
  form.querySelector<HTMLElement>('input, select, textarea, [type=submit]')?.focus();
}

interface Confirmation {
  readonly title: string;
  /** What will happen. */
  readonly text: string;
  /** What must be typed; without it a press is enough. */
  readonly typed?: string;
  readonly label: string;
  act(): Promise<void>;
}

export function confirm({ title, text, typed, label, act }: Confirmation): void {
  const fields = typed === undefined ? [] : [{ name: 'typed', label: `Type ${typed} to go on` }];
  openForm(
    title,
    {
      fields,
      submitLabel: label,
      isDanger: true,
      isReady: (values) => typed === undefined || values.typed === typed,
      submit: act,
    },
    element('p', {}, text),
  );
}

/** A secret that is nowhere to be read again. */
export function showSecret(title: string, text: string, secret: string): void {
  const field = element('input', { class: 'secret', readonly: '', 'aria-label': title, value: secret });
  const copied = element('span', { class: 'hint', role: 'status' });
  const copy = button('Copy', 'quiet', () => {
    field.select();
    navigator.clipboard.writeText(secret).then(
      () => setText(copied, 'Copied.'),
      () => setText(copied, 'The browser does not let us copy: it is selected, copy it with the keyboard.'),
    );
  });
  const done = button('I have kept it', 'primary', () => dialog.close());
  const dialog = openDialog(
    title,
    element('p', {}, text),
    element('div', { class: 'secret-row' }, field, copy),
    copied,
    element('div', { class: 'actions' }, done),
  );
  field.select();
}
