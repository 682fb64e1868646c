/** Small parts that views are made of. */

import { Refusal } from '#gateway/panel/admin/refusal.ts';
import type { LampOfUser } from '#gateway/panel/admin/shapes.ts';
import { timeText } from '#gateway/panel/admin/words.ts';
import { element } from '#gateway/panel/dom.ts';
import { lampIcon } from '#gateway/panel/icons.ts';
import { LAMP_NAMES, LAMP_STATES, type LampState } from '#gateway/panel/lamp.ts';

export type ButtonKind = 'primary' | 'quiet' | 'danger';

/** @param name for screen readers, where the label alone does not say it */
export function button(label: string, kind: ButtonKind, onPress: () => void, name?: string): HTMLButtonElement {
  const classes = kind === 'danger' ? 'quiet danger' : kind;
  const made = element('button', { type: 'button', class: classes, ...(name && { 'aria-label': name }) }, label);
  made.addEventListener('click', onPress);
  return made;
}

export const link = (label: string, href: string): HTMLAnchorElement => element('a', { href }, label);

export function timeCell(iso: string | undefined, absent = '–'): Node | string {
  return iso === undefined ? absent : element('time', { datetime: iso, title: iso }, timeText(iso, Date.now()));
}

export const codeCell = (text: string): HTMLElement => element('code', { title: text }, text);

export function refusalOfError(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(0, error instanceof Error ? error.message : String(error));
}

/** What is wrong and what to do, with a way to try again. */
export function problemBox(error: unknown, retry?: () => void): HTMLElement {
  const { message, advice, errors, instance } = refusalOfError(error);
  return element(
    'div',
    { class: 'problem', role: 'alert' },
    element('strong', {}, message),
    ...errors.map(({ member, detail }) => element('span', {}, member === '' ? detail : `${member}: ${detail}`)),
    ...(advice === '' ? [] : [element('span', {}, advice)]),
    ...(instance === undefined ? [] : [element('span', { class: 'hint' }, instance)]),
    ...(retry === undefined ? [] : [element('span', {}, button('Try again', 'quiet', retry))]),
  );
}

/** Says it once: a list that is read again and again must not be announced again and again. */
export function setNotice(place: HTMLElement, says: string, make: () => HTMLElement): void {
  if (place.dataset.says === says) return;
  place.dataset.says = says;
  place.replaceChildren(...(says === '' ? [] : [make()]));
}

export const setProblem = (place: HTMLElement, error: unknown, retry: () => void): void =>
  setNotice(place, refusalOfError(error).message, () => problemBox(error, retry));

/** @param text undefined: there is something */
export const setEmpty = (place: HTMLElement, text: string | undefined): void =>
  setNotice(place, text ?? '', () => element('p', { class: 'empty' }, text ?? ''));

/** What the API calls a lamp, as the panel shows it; a word that is not known is an unknown lamp. */
export const lampStateOf = (word: LampOfUser['lamp']): LampState =>
  LAMP_STATES.find((state) => state === word) ?? 'unknown';

export function lampBadge(word: string): HTMLElement {
  const state = lampStateOf(word);
  return element('span', { class: 'badge', 'data-lamp': state }, lampIcon(state), LAMP_NAMES[state]);
}

/** Title of a view, with what can be done there. */
export function viewHead(title: string, ...actions: Node[]): HTMLElement {
  return element(
    'div',
    { class: 'view-head' },
    element('h2', {}, title),
    element('div', { class: 'view-actions' }, ...actions),
  );
}
