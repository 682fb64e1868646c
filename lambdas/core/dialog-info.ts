/** application/dialog-info+xml (RFC 4235 section 4) <-> dialogs. Pure. */
import {
  DIALOG_RANK,
  type Dialog,
  type DialogState,
  type NamedUri,
  type Participant,
  STATE_EVENTS,
  type StateEvent,
} from './dialog.ts';
import { SipRejection } from './error.ts';
import { escapeXml, parseXml, type XmlElement } from './xml.ts';

export const DIALOG_INFO_TYPE = 'application/dialog-info+xml';
const NAMESPACE = 'urn:ietf:params:xml:ns:dialog-info';

/** Bounds of a document that is published. */
export const DIALOG_INFO_LIMITS = { dialogs: 32, idLength: 256, params: 16 } as const;

export interface DialogInfo {
  /** `full`: all dialogs there are. `partial`: only those that changed, by id. */
  readonly state: 'full' | 'partial';
  readonly entity: string;
  readonly dialogs: readonly Dialog[];
}

/**
 * Reads a published document. Elements and attributes that are not known are ignored.
 * @param nowMs turns a duration into the start of its dialog
 * @throws {SipRejection} 400 with what is wrong; 413 for more dialogs than the limit
 */
export function parseDialogInfo(text: string, nowMs: number): DialogInfo {
  const root = parseXml(text);
  if (root.name !== 'dialog-info' || root.namespace !== NAMESPACE) throw bad('Not a dialog-info Document');
  const version = root.attributes.get('version');
  if (version !== undefined && !/^\s*\d+\s*$/.test(version)) throw bad('Bad dialog-info Version');
  const elements = childrenOf(root, 'dialog');
  if (elements.length > DIALOG_INFO_LIMITS.dialogs) throw new SipRejection(413, 'Too Many Dialogs');
  return {
    state: documentStateOf(root.attributes.get('state')),
    entity: root.attributes.get('entity') ?? '',
    dialogs: withUniqueIds(elements.map((element) => dialogOf(element, nowMs))),
  };
}

/**
 * Renders a document, split around its version.
 * @param entity AOR of the presentity
 * @param nowMs time that durations are counted to
 */
export function renderDialogInfo(
  entity: string,
  dialogs: readonly Dialog[],
  nowMs: number,
  state: DialogInfo['state'] = 'full',
): [before: string, after: string] {
  const before = `<?xml version="1.0" encoding="UTF-8"?>\n<dialog-info xmlns="${NAMESPACE}" version="`;
  const inside = dialogs.map((dialog) => renderDialog(dialog, nowMs)).join('');
  return [before, `" state="${state}" entity="${escapeXml(entity)}">\n${inside}</dialog-info>\n`];
}

/** Gives the second and later dialog of one id an id of its own. */
export function withUniqueIds(dialogs: readonly Dialog[]): Dialog[] {
  const taken = new Set<string>();
  return dialogs.map((dialog) => {
    let id = dialog.id;
    for (let count = 2; taken.has(id); count += 1) id = `${dialog.id}-${count}`;
    taken.add(id);
    return id === dialog.id ? dialog : { ...dialog, id };
  });
}

function documentStateOf(value: string | undefined): DialogInfo['state'] {
  const state = value?.trim() ?? 'full';
  if (state === 'full' || state === 'partial') return state;
  throw bad('Bad dialog-info State');
}

function dialogOf(element: XmlElement, nowMs: number): Dialog {
  const id = element.attributes.get('id');
  if (!id || id.length > DIALOG_INFO_LIMITS.idLength) throw bad('Dialog Without Usable id');
  const seconds = Number(wholeNumber(childText(element, 'duration')));
  return present({
    id,
    callId: element.attributes.get('call-id'),
    localTag: element.attributes.get('local-tag'),
    remoteTag: element.attributes.get('remote-tag'),
    direction: directionOf(element.attributes.get('direction')),
    ...stateOf(childrenOf(element, 'state')),
    startedAtMs: Number.isFinite(seconds) ? nowMs - seconds * 1_000 : undefined,
    replaces: replacesOf(childrenOf(element, 'replaces')[0]),
    referredBy: namedUriOf(childrenOf(element, 'referred-by')[0]),
    local: participantOf(childrenOf(element, 'local')[0]),
    remote: participantOf(childrenOf(element, 'remote')[0]),
  });
}

function stateOf([element, ...more]: readonly XmlElement[]): Pick<Dialog, 'state' | 'event' | 'code'> {
  if (element === undefined || more.length > 0) throw bad('Dialog Without One State');
  const state = element.text.trim();
  if (!isDialogState(state)) throw bad('Unknown Dialog State');
  const code = Number(wholeNumber(element.attributes.get('code')));
  return {
    state,
    event: STATE_EVENTS.find((event): event is StateEvent => event === element.attributes.get('event')),
    code: code >= 100 && code <= 699 ? code : undefined,
  };
}

function directionOf(value: string | undefined): Dialog['direction'] {
  if (value === undefined || value === 'initiator' || value === 'recipient') return value;
  throw bad('Unknown Dialog Direction');
}

function replacesOf(element: XmlElement | undefined): Dialog['replaces'] {
  const callId = element?.attributes.get('call-id');
  const localTag = element?.attributes.get('local-tag');
  const remoteTag = element?.attributes.get('remote-tag');
  return callId === undefined || localTag === undefined || remoteTag === undefined
    ? undefined
    : { callId, localTag, remoteTag };
}

function participantOf(element: XmlElement | undefined): Participant | undefined {
  if (element === undefined) return undefined;
  const identity = namedUriOf(childrenOf(element, 'identity')[0]);
  const target = targetOf(childrenOf(element, 'target')[0]);
  return identity || target ? present({ identity, target }) : undefined;
}

function targetOf(element: XmlElement | undefined): Participant['target'] {
  const uri = element?.attributes.get('uri')?.trim();
  if (element === undefined || !uri) return undefined;
  const params = childrenOf(element, 'param').flatMap(({ attributes }): [string, string][] => {
    const name = attributes.get('pname');
    // Some publishers write `pvalue`; RFC 4235 has `pval`.
    return name ? [[name, attributes.get('pval') ?? attributes.get('pvalue') ?? '']] : [];
  });
  return { uri, params: params.slice(0, DIALOG_INFO_LIMITS.params) };
}

function namedUriOf(element: XmlElement | undefined): NamedUri | undefined {
  const uri = element?.text.trim();
  if (element === undefined || !uri) return undefined;
  // RFC 4235 says `display` in its text and examples, `display-name` in its schema.
  const displayName = element.attributes.get('display') ?? element.attributes.get('display-name');
  return present({ uri, displayName });
}

// Element order is the schema's: state, duration, replaces, referred-by, local, remote.
function renderDialog(dialog: Dialog, nowMs: number): string {
  const start = attributes({
    id: dialog.id,
    'call-id': dialog.callId,
    'local-tag': dialog.localTag,
    'remote-tag': dialog.remoteTag,
    direction: dialog.direction,
  });
  const inside = [
    `<state${attributes({ event: dialog.event, code: dialog.code })}>${dialog.state}</state>`,
    dialog.startedAtMs === undefined ? '' : `<duration>${secondsSince(dialog.startedAtMs, nowMs)}</duration>`,
    renderReplaces(dialog.replaces),
    renderNamedUri('referred-by', dialog.referredBy),
    renderParticipant('local', dialog.local),
    renderParticipant('remote', dialog.remote),
  ];
  return `<dialog${start}>${inside.join('')}</dialog>\n`;
}

function renderReplaces(replaces: Dialog['replaces']): string {
  if (replaces === undefined) return '';
  const { callId, localTag, remoteTag } = replaces;
  return `<replaces${attributes({ 'call-id': callId, 'local-tag': localTag, 'remote-tag': remoteTag })}/>`;
}

function renderParticipant(name: 'local' | 'remote', participant: Participant | undefined): string {
  if (participant === undefined) return '';
  return `<${name}>${renderNamedUri('identity', participant.identity)}${renderTarget(participant.target)}</${name}>`;
}

function renderNamedUri(name: 'identity' | 'referred-by', value: NamedUri | undefined): string {
  return value === undefined
    ? ''
    : `<${name}${attributes({ display: value.displayName })}>${escapeXml(value.uri)}</${name}>`;
}

function renderTarget(target: Participant['target']): string {
  if (target === undefined) return '';
  const params = target.params.map(([pname, pval]) => `<param${attributes({ pname, pval })}/>`).join('');
  const start = `<target${attributes({ uri: target.uri })}`;
  return params === '' ? `${start}/>` : `${start}>${params}</target>`;
}

function attributes(values: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(values)
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${escapeXml(String(value))}"`))
    .join('');
}

const secondsSince = (startMs: number, nowMs: number): number => Math.max(0, Math.floor((nowMs - startMs) / 1_000));

function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name && child.namespace === NAMESPACE);
}

const childText = (element: XmlElement, name: string): string | undefined => childrenOf(element, name)[0]?.text;

/** The digits of a number that fits 32 bits; `undefined` otherwise. */
function wholeNumber(text: string | undefined): string | undefined {
  const digits = text?.trim();
  return digits !== undefined && /^\d{1,9}$/.test(digits) ? digits : undefined;
}

const isDialogState = (text: string): text is DialogState => Object.hasOwn(DIALOG_RANK, text);

/** Without the fields that are undefined, so that equal dialogs are deeply equal. */
function present<T extends object>(value: T): T {
  for (const key of Object.keys(value)) {
    if (Reflect.get(value, key) === undefined) Reflect.deleteProperty(value, key);
  }
  return value;
}

const bad = (reason: string): SipRejection => new SipRejection(400, reason);
