/** The simple model: what has been published, and which dialogs a watcher must see for it. */
import { dialogKey, isFurther } from '#core/dialog.ts';
import { tombstoneField } from '#table/presentity-item.ts';

export const STATES = ['trying', 'early', 'confirmed', 'terminated'] as const;
export type State = (typeof STATES)[number];
export type LiveState = Exclude<State, 'terminated'>;

/** Three branches of one fork, and one other call. */
export interface ModelDialog {
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
}

export const PUBLISHERS = ['pbx-0', 'pbx-1'];
export const DIALOGS: readonly ModelDialog[] = withPlacesOfTheirOwn([
  ...['a', 'b', 'c'].map((branch) => ({ id: branch, callId: 'fork', localTag: 'lt', remoteTag: `branch-${branch}` })),
  { id: 'd', callId: 'other', localTag: 'lt', remoteTag: 'rt' },
]);

/** Tombstones share few places in a publication; these dialogs must not drive each other out. */
function withPlacesOfTheirOwn(dialogs: readonly ModelDialog[]): ModelDialog[] {
  const placesOf = ({ id, ...names }: ModelDialog) =>
    PUBLISHERS.map((user) => {
      const source = { publisher: `sip:${user}@demo.example`, publicationId: '' };
      return `${user} ${tombstoneField(dialogKey({ id, state: 'trying', ...names }, source))}`;
    });
  const taken = new Set<string>();
  return dialogs.map((dialog) => {
    let chosen = dialog;
    for (let n = 1; placesOf(chosen).some((place) => taken.has(place)); n++)
      chosen = { ...dialog, remoteTag: `${dialog.remoteTag}-${n}` };
    for (const place of placesOf(chosen)) taken.add(place);
    return chosen;
  });
}

export interface PublishedDocument {
  readonly scope: 'full' | 'partial';
  readonly states: ReadonlyMap<number, State>;
}

/** One publication as its publisher means it; dialogs by their place in DIALOGS. */
export class ModelPublication {
  readonly publisher: number;
  expiresAtMs: number;
  live = new Map<number, LiveState>();
  /** Named as terminated by the last document. */
  over = new Set<number>();
  /** Named as terminated ever. */
  readonly gone = new Set<number>();

  constructor(publisher: number, expiresAtMs: number, document: PublishedDocument) {
    this.publisher = publisher;
    this.expiresAtMs = expiresAtMs;
    this.apply(document);
  }

  apply({ scope, states }: PublishedDocument): void {
    if (scope === 'full') this.live.clear();
    this.over.clear();
    for (const [dialog, state] of states) {
      if (state !== 'terminated') {
        this.live.set(dialog, state);
        continue;
      }
      this.live.delete(dialog);
      this.over.add(dialog);
      this.gone.add(dialog);
    }
  }

  saysOver(dialog: number): boolean {
    return this.gone.has(dialog) && !this.live.has(dialog);
  }
}

/** The lit dialogs of a presentity, as `remote tag: state`, sorted; none when it is idle. */
export function lampsOf(publications: readonly ModelPublication[], nowMs: number): string[] {
  const current = publications.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  return PUBLISHERS.flatMap((_, publisher) => {
    const own = current.filter((publication) => publication.publisher === publisher);
    return DIALOGS.flatMap(({ remoteTag }, dialog) => {
      const states = own.flatMap((publication) => publication.live.get(dialog) ?? []);
      if (own.some((publication) => publication.saysOver(dialog))) return [];
      const highest = states.reduce<LiveState | undefined>((a, b) => (a && !isFurther(b, a) ? a : b), undefined);
      return highest ? [`${publisher} ${remoteTag}: ${highest}`] : [];
    });
  }).sort();
}

/** The lit dialogs in a dialog-info document, in the same words. */
export function lampsIn(body: string): string[] {
  return [...body.matchAll(/<dialog [^>]*?remote-tag="([^"]*)"[^>]*><state[^>]*>(\w+)<.*?display="(\d+)"/g)]
    .filter(([, , state]) => state !== 'terminated')
    .map(([, remoteTag, state, publisher]) => `${publisher} ${remoteTag}: ${state}`)
    .sort();
}

/** A dialog-info document as a publisher sends it. */
export function documentText(entity: string, publisher: number, { scope, states }: PublishedDocument): string {
  const dialogs = [...states].map(([dialog, state]) => {
    const { id, callId, localTag, remoteTag } = DIALOGS[dialog] ?? { id: '', callId: '', localTag: '', remoteTag: '' };
    const names = `id="${id}" call-id="${callId}" local-tag="${localTag}" remote-tag="${remoteTag}"`;
    const remote = `<remote><identity display="${publisher}">sip:+15550100@pstn.example</identity></remote>`;
    return `<dialog ${names} direction="recipient"><state>${state}</state>${remote}</dialog>`;
  });
  const root = `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="${scope}" entity="${entity}">`;
  return `<?xml version="1.0"?>\n${root}${dialogs.join('')}</dialog-info>`;
}
