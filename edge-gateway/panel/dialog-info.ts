/** Reads dialog-info documents (RFC 4235) as plain data. Pure but for DOMParser, which the browser brings. */

/** The part of DOM's Element that a reader needs. */
export interface XmlElement {
  readonly localName: string;
  readonly children: Iterable<XmlElement>;
  readonly textContent: string | null;
  getAttribute(name: string): string | null;
}

export const DIALOG_STATES = ['trying', 'proceeding', 'early', 'confirmed', 'terminated'] as const;
export type DialogState = (typeof DIALOG_STATES)[number];

export interface Party {
  readonly displayName: string;
  readonly uri: string;
}

export interface Dialog {
  /** Unique within the document; the same dialog keeps it from version to version. */
  readonly id: string;
  /** By these the call can be picked up; each may be missing. */
  readonly callId?: string;
  readonly localTag?: string;
  readonly remoteTag?: string;
  readonly state: DialogState;
  readonly direction?: 'initiator' | 'recipient';
  /** Media is stopped: the local target says `+sip.rendering="no"`. */
  readonly held: boolean;
  readonly durationSeconds?: number;
  readonly local: Party;
  readonly remote: Party;
}

export interface DialogInfo {
  readonly version: number;
  /** True when the document names every dialog, false when it only names changed ones. */
  readonly full: boolean;
  readonly dialogs: readonly Dialog[];
}

/** @returns `undefined` when the text is not well-formed XML or not a dialog-info document */
export function parseDialogInfo(xml: string): DialogInfo | undefined {
  const { documentElement } = new DOMParser().parseFromString(xml, 'application/xml');
  return documentElement === null ? undefined : readDialogInfo(documentElement);
}

/** @returns `undefined` when the element is not a `dialog-info` with a version */
export function readDialogInfo(root: XmlElement): DialogInfo | undefined {
  const version = wholeNumber(root.getAttribute('version'));
  if (root.localName !== 'dialog-info' || version === undefined) return undefined;
  const dialogs = childrenOf(root, 'dialog').flatMap((element) => readDialog(element) ?? []);
  return { version, full: root.getAttribute('state') !== 'partial', dialogs };
}

function readDialog(element: XmlElement): Dialog | undefined {
  const state = DIALOG_STATES.find((name) => name === textOf(element, 'state'));
  if (state === undefined) return undefined;
  const direction = element.getAttribute('direction');
  const durationSeconds = wholeNumber(textOf(element, 'duration'));
  return {
    id: element.getAttribute('id') ?? '',
    ...readNames(element),
    state,
    ...(direction === 'initiator' || direction === 'recipient' ? { direction } : {}),
    held: isHeld(element),
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    local: readParty(element, 'local'),
    remote: readParty(element, 'remote'),
  };
}

function readNames(element: XmlElement): Pick<Dialog, 'callId' | 'localTag' | 'remoteTag'> {
  const [callId, localTag, remoteTag] = ['call-id', 'local-tag', 'remote-tag'].map((name) =>
    element.getAttribute(name),
  );
  return { ...(callId && { callId }), ...(localTag && { localTag }), ...(remoteTag && { remoteTag }) };
}

function isHeld(dialog: XmlElement): boolean {
  return (
    childrenOf(dialog, 'local')
      .flatMap((local) => childrenOf(local, 'target'))
      .flatMap((target) => childrenOf(target, 'param'))
      .filter((param) => param.getAttribute('pname') === '+sip.rendering')
      // RFC 4235 has `pval`; some publishers write `pvalue`.
      .some((param) => (param.getAttribute('pval') ?? param.getAttribute('pvalue')) === 'no')
  );
}

/** The identity says who it is; a target is only where the device can be reached, so it comes second. */
function readParty(dialog: XmlElement, side: 'local' | 'remote'): Party {
  const [participant] = childrenOf(dialog, side);
  if (participant === undefined) return { displayName: '', uri: '' };
  const [identity] = childrenOf(participant, 'identity');
  const [target] = childrenOf(participant, 'target');
  const uri = identity?.textContent?.trim() || target?.getAttribute('uri') || '';
  return { displayName: identity?.getAttribute('display') ?? '', uri };
}

function childrenOf(element: XmlElement, localName: string): XmlElement[] {
  return [...element.children].filter((child) => child.localName === localName);
}

function textOf(element: XmlElement, localName: string): string | null {
  return childrenOf(element, localName)[0]?.textContent?.trim() ?? null;
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
