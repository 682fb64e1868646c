/** Forms of the console: fields declared as data, and refusals shown at the field that they are about. */
import { button, problemBox, refusalOfError } from '#gateway/panel/admin/parts.ts';
import { element, setText } from '#gateway/panel/dom.ts';

export interface Field {
  /** Member of the API that it sets; errors about it are shown here. */
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly kind?: 'text' | 'password' | 'number' | 'checkbox' | 'textarea';
  /** Makes it a choice: value and what is shown. */
  readonly choices?: readonly (readonly [string, string])[];
  readonly value?: string;
  readonly placeholder?: string;
  readonly required?: boolean;
}

export type Values = Readonly<Record<string, string>>;

export interface FormOptions {
  readonly fields: readonly Field[];
  readonly submitLabel: string;
  readonly isDanger?: boolean;
  /** @throws {Refusal} which is then shown */
  submit(values: Values): Promise<void>;
  readonly onCancel?: () => void;
  /** Looked at with every key: false keeps the button off. */
  readonly isReady?: (values: Values) => boolean;
}

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

interface Row {
  readonly node: HTMLElement;
  readonly control: Control;
  readonly complaint: HTMLElement;
}

let count = 0;

export function createForm(options: FormOptions): HTMLFormElement {
  const rows = new Map(options.fields.map((field) => [field.name, rowOf(field)]));
  const problem = element('div', {});
  const submit = element(
    'button',
    { type: 'submit', class: options.isDanger ? 'primary danger' : 'primary' },
    options.submitLabel,
  );
  const cancel = options.onCancel === undefined ? [] : [button('Cancel', 'quiet', options.onCancel)];
  const actions = element('div', { class: 'actions' }, ...cancel, submit);
  const form = element('form', { novalidate: '' }, ...[...rows.values()].map(({ node }) => node), problem, actions);
  const update = (): void => {
    submit.disabled = options.isReady?.(valuesOf(rows)) === false;
  };
  form.addEventListener('input', update);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!submit.disabled) void send(options, rows, { problem, submit }).finally(update);
  });
  update();
  return form;
}

async function send(
  { fields, submit }: FormOptions,
  rows: ReadonlyMap<string, Row>,
  parts: { readonly problem: HTMLElement; readonly submit: HTMLButtonElement },
): Promise<void> {
  parts.problem.replaceChildren();
  for (const { name, required = false } of fields) complain(rows.get(name), isMissing(rows, name, required));
  if (focusFirstWrong(rows)) return;
  parts.submit.disabled = true;
  try {
    await submit(valuesOf(rows));
  } catch (error) {
    const { errors } = refusalOfError(error);
    for (const { member, detail } of errors) complain(rows.get(member), detail);
    parts.problem.replaceChildren(problemBox(error));
    focusFirstWrong(rows);
  }
  parts.submit.disabled = false;
}

const isMissing = (rows: ReadonlyMap<string, Row>, name: string, required: boolean): string =>
  required && rows.get(name)?.control.value.trim() === '' ? 'is missing' : '';

function complain(row: Row | undefined, detail: string): void {
  if (row === undefined) return;
  row.control.setAttribute('aria-invalid', String(detail !== ''));
  setText(row.complaint, detail === '' ? '' : `This ${detail}.`);
  row.complaint.hidden = detail === '';
}

function focusFirstWrong(rows: ReadonlyMap<string, Row>): boolean {
  const wrong = [...rows.values()].find(({ control }) => control.getAttribute('aria-invalid') === 'true');
  wrong?.control.focus();
  return wrong !== undefined;
}

function rowOf(field: Field): Row {
  const id = `field-${++count}`;
  const hint = element('span', { class: 'hint', id: `${id}-hint` }, field.hint ?? '');
  const complaint = element('span', { class: 'complaint', id: `${id}-complaint`, hidden: '' });
  const control = controlOf(field);
  control.name = field.name;
  control.id = id;
  control.setAttribute('aria-describedby', `${id}-complaint ${id}-hint`);
  const label = element('label', { for: id }, field.label);
  const isSwitch = field.kind === 'checkbox';
  const parts = isSwitch ? [control, label] : [label, control];
  const node = element('div', { class: isSwitch ? 'field switch' : 'field' }, ...parts, complaint);
  if (field.hint !== undefined) node.append(hint);
  return { node, control, complaint };
}

function controlOf({ kind = 'text', choices, value = '', placeholder, required }: Field): Control {
  const control = choices === undefined ? plainControl(kind) : choiceOf(choices);
  if (kind === 'checkbox' && control instanceof HTMLInputElement) control.checked = value === 'true';
  else control.value = value;
  if (placeholder !== undefined) control.setAttribute('placeholder', placeholder);
  if (required === true) control.required = true;
  return control;
}

function plainControl(kind: NonNullable<Field['kind']>): Control {
  const plain = { spellcheck: 'false', autocapitalize: 'none', autocomplete: 'off' };
  if (kind === 'textarea') return element('textarea', { ...plain, rows: '12' });
  return element('input', { ...plain, type: kind, ...(kind === 'number' && { min: '0', step: '1' }) });
}

const choiceOf = (choices: NonNullable<Field['choices']>): HTMLSelectElement =>
  element('select', {}, ...choices.map(([value, shown]) => element('option', { value }, shown)));

function valuesOf(rows: ReadonlyMap<string, Row>): Values {
  return Object.fromEntries(
    [...rows].map(([name, { control }]) => {
      const isSwitch = control instanceof HTMLInputElement && control.type === 'checkbox';
      return [name, isSwitch ? String(control.checked) : control.value.trim()];
    }),
  );
}
