/** Expressions of the UpdateItem that a PUBLISH is (attributes: presentity-item). Pure. */
import { type Dialog, dialogKey, isLive } from '#core/dialog.ts';
import { type DialogDocument, PUBLICATION_LIMITS, type PublishedDocument } from '#core/publication.ts';
import { dueShardOf, listedPresentities, presentityOfKey } from './keys.ts';
import {
  dialogField,
  publicationAttribute,
  type StoredDialogs,
  type StoredDocument,
  tombstoneField,
} from './presentity-item.ts';
import type { Attributes, Update } from './table.ts';

interface Target {
  readonly publicationId: string;
  readonly event: string;
  /** AOR of the publisher; only it may change its publication. */
  readonly publisher: string;
  /** Call-ID of the PUBLISH, by which its way to the watchers is found in the logs. */
  readonly callId?: string | undefined;
}
interface Existing extends Target {
  /** The entity-tag of SIP-If-Match. */
  readonly expectedTag: string;
}
interface Granted {
  /** The new entity-tag. */
  readonly entityTag: string;
  readonly expiresAtMs: number;
}

/** What a PUBLISH does to the stored state. */
export type PublicationWrite =
  | (Target & Granted & { readonly kind: 'initial'; readonly document: PublishedDocument })
  | (Existing & Granted & { readonly kind: 'modify'; readonly document: PublishedDocument })
  | (Existing & Granted & { readonly kind: 'refresh' })
  | (Existing & { readonly kind: 'remove' });

/** Long after any lease, of a registration that is only refreshed too: TTL removes what is left of the item. */
const KEEP_ITEM_SECONDS = 400 * 24 * 3_600;

/** `keepEarlier`: the sweep that stands comes early enough. `moveForward`: it must come earlier. */
export type SweepRule = 'keepEarlier' | 'moveForward';

/** Placeholders of the attributes that every write sets. */
export const ITEM_NAMES = { '#version': 'version', '#changed': 'changedAtMs', '#ttl': 'ttl' } as const;
const NAMES = { '#count': 'pubCount', '#due': 'dueAtMs', '#shard': 'dueShard' } as const;

/** Parts of an expression, gathered from rules that do not know each other. */
export interface Parts {
  readonly set: readonly string[];
  readonly remove?: readonly string[];
  readonly add?: readonly string[];
  readonly conditions: readonly string[];
  readonly names?: Readonly<Record<string, string>>;
  readonly values?: Attributes;
}

/** The one UpdateItem of a PUBLISH: its change, the new version, and when to sweep. */
export function composePublicationUpdate(
  write: PublicationWrite,
  partition: string,
  sweep: SweepRule,
  nowMs: number,
): Update {
  const parts: Parts[] = [stampOf(nowMs), causeOf(write.callId, nowMs), changeOf(write, nowMs)];
  if (write.kind !== 'remove') parts.push(sweepOf(write.expiresAtMs, partition, sweep));
  return updateOf(parts);
}

/** One UpdateItem of all parts. */
export function updateOf(parts: readonly Parts[]): Update {
  const set = parts.flatMap((part) => part.set);
  const remove = parts.flatMap((part) => part.remove ?? []);
  const add = parts.flatMap((part) => part.add ?? []);
  return {
    update: [clause('SET', set), clause('REMOVE', remove), clause('ADD', add)].join(' ').trim(),
    condition: parts.flatMap((part) => part.conditions).join(' AND '),
    names: Object.assign({}, ...parts.map((part) => part.names)),
    values: Object.assign({}, ...parts.map((part) => part.values)),
  };
}

const clause = (verb: string, actions: readonly string[]): string =>
  actions.length === 0 ? '' : `${verb} ${actions.join(', ')}`;

/** What every write adds that watchers may see: the next version, and when it was made. */
export function stampOf(nowMs: number): Required<Omit<Parts, 'remove' | 'add'>> {
  return {
    // A new item counts its version from the clock, so that it never falls behind what watchers saw of an older one.
    set: ['#version = if_not_exists(#version, :now) + :one', '#changed = :now', '#ttl = :ttl'],
    conditions: [],
    names: ITEM_NAMES,
    values: { ':now': nowMs, ':one': 1, ':ttl': Math.floor(nowMs / 1_000) + KEEP_ITEM_SECONDS },
  };
}

/** Longer Call-IDs are found by their beginning. */
const MAX_CAUSE_LENGTH = 128;

/** What made this version, with its time: a version that another writer makes has another time, and no such cause. */
export function causeOf(callId: string | undefined, nowMs: number): Parts {
  if (callId === undefined) return { set: [], conditions: [] };
  const cause = { atMs: nowMs, callId: callId.slice(0, MAX_CAUSE_LENGTH) };
  return { set: ['#cause = :cause'], conditions: [], names: { '#cause': 'cause' }, values: { ':cause': cause } };
}

/** How the item stands in the indexes: when it must be swept for what expires then, and in its tenant's list. */
export function sweepOf(expiresAtMs: number, partition: string, rule: SweepRule): Parts {
  const listing = listingOf(partition);
  const names = { '#due': NAMES['#due'], '#shard': NAMES['#shard'], ...listing.names };
  const values = { ':exp': expiresAtMs, ':shard': dueShardOf(partition), ...listing.values };
  const set = ['#shard = :shard', ...listing.set];
  return rule === 'keepEarlier'
    ? {
        set: ['#due = if_not_exists(#due, :exp)', ...set],
        conditions: ['(attribute_not_exists(#due) OR #due <= :exp)'],
        names,
        values,
      }
    : { set: ['#due = :exp', ...set], conditions: ['#due > :exp'], names, values };
}

/** The place in the list of the tenant's presentities. Always the same, so the index is written once in the item's life. */
export function listingOf(partition: string): Required<Omit<Parts, 'remove' | 'add'>> {
  const { domain = '', user = '' } = presentityOfKey(partition) ?? {};
  return {
    set: ['#listedAs = :listedAs', '#listedBy = :listedBy'],
    conditions: [],
    names: { '#listedAs': 'listedAs', '#listedBy': 'listedBy' },
    values: { ':listedAs': listedPresentities(domain), ':listedBy': user },
  };
}

function changeOf(write: PublicationWrite, nowMs: number): Parts {
  switch (write.kind) {
    case 'initial':
      return creation(write, nowMs);
    case 'modify':
      return modification(write);
    case 'refresh':
      return renewal(write);
    case 'remove':
      return removal(write);
    default:
      return write satisfies never;
  }
}

function creation(write: Extract<PublicationWrite, { kind: 'initial' }>, nowMs: number): Parts {
  return {
    set: ['#pub = :pub'],
    add: ['#count :one'],
    conditions: ['(attribute_not_exists(#count) OR #count < :most)', 'attribute_not_exists(#pub)'],
    names: { '#pub': publicationAttribute(write.publicationId), '#count': NAMES['#count'] },
    values: { ':pub': storedOf(write, nowMs), ':most': PUBLICATION_LIMITS.perPresentity },
  };
}

function storedOf(
  write: Extract<PublicationWrite, { kind: 'initial' }>,
  nowMs: number,
): StoredDialogs | StoredDocument {
  const { entityTag, event, publisher, expiresAtMs, document } = write;
  const stored = { tag: entityTag, event, by: publisher, expMs: expiresAtMs, atMs: nowMs };
  if (document.kind !== 'dialogs') return { ...stored, doc: document };
  const { live, over, gone } = contentOf(document.dialogs, write);
  return { ...stored, live: Object.fromEntries(live), over, gone: Object.fromEntries(gone) };
}

type Modification = Extract<PublicationWrite, { kind: 'modify' }>;

function modification(write: Modification): Parts {
  const { document } = write;
  return document.kind === 'dialogs' ? dialogModification(write, document) : replacement(write, document);
}

function replacement(write: Modification, document: StoredDocument['doc']): Parts {
  const base = renewal(write);
  return {
    ...base,
    set: [...base.set, '#pub.atMs = :now', '#pub.#doc = :doc'],
    names: { ...base.names, '#doc': 'doc' },
    values: { ...base.values, ':doc': document },
  };
}

function dialogModification(write: Modification, document: DialogDocument): Parts {
  const { live, over, gone } = contentOf(document.dialogs, write);
  const base = renewal(write);
  const buried = [...gone].map(([field, key], index) => ({ field, key, name: `#g${index}`, value: `:g${index}` }));
  const dialogs = document.scope === 'partial' ? someDialogs(live, over) : allDialogs(live);
  return {
    set: [...base.set, '#pub.atMs = :now', '#pub.#over = :over', ...dialogs.set, ...buried.map(setTombstone)],
    remove: dialogs.remove,
    conditions: [...base.conditions, ...dialogs.conditions],
    names: {
      ...{ ...base.names, '#over': 'over', '#live': 'live' },
      ...Object.fromEntries(buried.map(({ name, field }) => [name, field])),
      ...(buried.length > 0 ? { '#gone': 'gone' } : {}),
      ...dialogs.names,
    },
    values: {
      ...{ ...base.values, ':over': over },
      ...Object.fromEntries(buried.map(({ value, key }) => [value, key])),
      ...dialogs.values,
    },
  };
}

const setTombstone = ({ name, value }: { name: string; value: string }): string => `#pub.#gone.${name} = ${value}`;

function allDialogs(live: ReadonlyMap<string, Dialog>): Parts {
  return { set: ['#pub.#live = :live'], conditions: [], values: { ':live': Object.fromEntries(live) } };
}

/** Of a partial document: sets the live dialogs that it names, removes the terminated ones, leaves the others. */
function someDialogs(live: ReadonlyMap<string, Dialog>, over: readonly Dialog[]): Parts {
  const changed = [...live].map(([field, dialog], index) => ({
    field,
    dialog,
    name: `#d${index}`,
    value: `:d${index}`,
  }));
  const removed = over
    .map(dialogField)
    .filter((field) => !live.has(field))
    .map((field, index) => ({ field, name: `#r${index}` }));
  return {
    set: changed.map(({ name, value }) => `#pub.#live.${name} = ${value}`),
    remove: removed.map(({ name }) => `#pub.#live.${name}`),
    conditions: ['size(#pub.#live) <= :room'],
    names: Object.fromEntries([...changed, ...removed].map(({ name, field }) => [name, field])),
    values: {
      ':room': roomFor(live.size),
      ...Object.fromEntries(changed.map(({ value, dialog }) => [value, dialog])),
    },
  };
}

/** How many live dialogs may stand before so many are added. */
export const roomFor = (added: number): number => PUBLICATION_LIMITS.liveDialogs - added;

function renewal(write: Existing & Granted): Parts {
  const matched = matching(write);
  return {
    set: ['#pub.#tag = :tag', '#pub.expMs = :exp'],
    conditions: matched.conditions,
    names: matched.names,
    values: { ...matched.values, ':tag': write.entityTag },
  };
}

function removal(write: Existing): Parts {
  const matched = matching(write);
  return {
    set: [],
    remove: ['#pub'],
    add: ['#count :less'],
    conditions: matched.conditions,
    names: { ...matched.names, '#count': NAMES['#count'] },
    values: { ...matched.values, ':less': -1 },
  };
}

function matching({ publicationId, expectedTag, event, publisher }: Existing): Required<Omit<Parts, 'remove' | 'add'>> {
  return {
    set: [],
    conditions: ['#pub.#tag = :expected', '#pub.expMs > :now', '#pub.#event = :event', '#pub.#by = :by'],
    names: { '#pub': publicationAttribute(publicationId), '#tag': 'tag', '#event': 'event', '#by': 'by' },
    values: { ':expected': expectedTag, ':event': event, ':by': publisher },
  };
}

function contentOf(dialogs: readonly Dialog[], { publisher, publicationId }: Target) {
  const over = dialogs.filter((dialog) => !isLive(dialog));
  const keys = over.map((dialog) => dialogKey(dialog, { publisher, publicationId }));
  return {
    live: new Map(dialogs.filter(isLive).map((dialog) => [dialogField(dialog), dialog])),
    over,
    gone: new Map(keys.map((key) => [tombstoneField(key), key])),
  };
}
