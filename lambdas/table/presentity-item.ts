/**
 * Presentity item: the live state of one presentity. Each publication is one attribute `P#<id>`, so that a PUBLISH is
 * one conditional UpdateItem without a read before it.
 */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { type DIALOG_RANK, type Dialog, STATE_EVENTS } from '#core/dialog.ts';
import { ContractError } from '#core/error.ts';
import { type Address, aorOfIdentity } from '#core/identity.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import type { Publication, PublicationContent } from '#core/publication.ts';
import { presentityOfKey, stateKey } from './keys.ts';
import { messageSummary, presence } from './published-documents.ts';
import type { Item, Table } from './table.ts';

const PUBLICATION_PREFIX = 'P#';
const CHANGES_PREFIX = 'C#';
const WATCHED_PREFIX = 'W#';
const FLOOR_PREFIX = 'F#';

/** A publication in the item. Names are short: they are paid for with every write. */
export interface StoredPublication {
  readonly tag: string;
  readonly event: string;
  readonly by: string;
  readonly expMs: number;
  readonly atMs: number;
}

/** A publication of dialogs. */
export interface StoredDialogs extends StoredPublication {
  /** Live dialogs by {@link dialogField}. */
  readonly live: Readonly<Record<string, Dialog>>;
  /** Terminated dialogs of the latest document. */
  readonly over: readonly Dialog[];
  /** Keys of terminated dialogs by {@link tombstoneField}. */
  readonly gone: Readonly<Record<string, string>>;
}

/** Publisher of what the system itself publishes: no AOR, so nobody else's. */
export const SYSTEM = 'system';

export const publicationAttribute = (publicationId: string): string => `${PUBLICATION_PREFIX}${publicationId}`;

/** A publication of anything else. */
export interface StoredDocument extends StoredPublication {
  readonly doc: Exclude<PublicationContent, { kind: 'dialogs' }>;
}

/** Counts changes of items that an event package shows beside this one. */
export const changesAttribute = (event: string): string => `${CHANGES_PREFIX}${event}`;
/** Until when somebody watches such an event package, epoch ms. */
export const watchedAttribute = (event: string): string => `${WATCHED_PREFIX}${event}`;

/** Number up to which a source's words about dialogs are late; absent while the source has none about this presentity. */
export const floorAttribute = (mark: string): string => `${FLOOR_PREFIX}${mark}`;

/** Field of a live dialog inside its publication: the same for the same `id`, whatever characters that holds. */
export const dialogField = ({ id }: Dialog): string => shortHash(id);

/** Tombstones have few places, so that a publication which lives long does not grow: a newer one may take an older's. */
const TOMBSTONE_FIELDS = 16;
export const tombstoneField = (key: string): string =>
  String(createHash('sha256').update(key).digest().readUInt32BE(0) % TOMBSTONE_FIELDS);

/** One GetItem, consistent. Nothing stored is an idle presentity. */
export async function loadPresentity(table: Table, { domain, user }: Address): Promise<Presentity> {
  const item = await table.get(stateKey(domain, user), { consistent: true });
  return item ? decodePresentity(item) : NO_STATE;
}

/** One consistent BatchGetItem a hundred presentities. @returns by AOR; those without state are left out */
export async function loadPresentities(table: Table, addresses: readonly Address[]): Promise<Map<string, Presentity>> {
  const keys = addresses.map(({ domain, user }) => stateKey(domain, user));
  const items = await table.getBatch(keys, { consistent: true });
  return new Map(
    items.flatMap((item): [string, Presentity][] => {
      const address = presentityOfKey(item.PK);
      return address === undefined ? [] : [[aorOfIdentity(address), decodePresentity(item)]];
    }),
  );
}

const number = v.number();
const namedUri = v.object({ uri: v.string(), displayName: v.optional(v.string()) });
const participant = v.object({
  identity: v.optional(namedUri),
  target: v.optional(v.object({ uri: v.string(), params: v.array(v.tuple([v.string(), v.string()])) })),
});
const dialog = v.object({
  id: v.string(),
  callId: v.optional(v.string()),
  localTag: v.optional(v.string()),
  remoteTag: v.optional(v.string()),
  direction: v.optional(v.picklist(['initiator', 'recipient'])),
  state: v.picklist([
    'trying',
    'proceeding',
    'early',
    'confirmed',
    'terminated',
  ] satisfies (keyof typeof DIALOG_RANK)[]),
  event: v.optional(v.picklist(STATE_EVENTS)),
  code: v.optional(number),
  startedAtMs: v.optional(number),
  replaces: v.optional(v.object({ callId: v.string(), localTag: v.string(), remoteTag: v.string() })),
  referredBy: v.optional(namedUri),
  local: v.optional(participant),
  remote: v.optional(participant),
});
const stored = v.object({ tag: v.string(), event: v.string(), by: v.string(), expMs: number, atMs: number });
const storedDialogs = v.object({
  ...stored.entries,
  live: v.record(v.string(), dialog),
  over: v.array(dialog),
  gone: v.record(v.string(), v.string()),
});
const storedDocument = v.object({
  ...stored.entries,
  doc: v.variant('kind', [
    v.object({ kind: v.literal('presence'), presence }),
    v.object({ kind: v.literal('messages'), summary: messageSummary }),
  ]),
});
const storedPublication = v.union([storedDialogs, storedDocument]);
const stateAttributes = v.object({
  version: number,
  changedAtMs: number,
  pubCount: v.optional(number, 0),
  dueAtMs: v.optional(number),
  registered: v.optional(v.boolean()),
  accessAtMs: v.optional(number),
  decisions: v.optional(number),
  reset: v.optional(v.object({ atMs: number, by: v.string() })),
  cause: v.optional(v.object({ atMs: number, callId: v.string() })),
});

/** The whole item, with what only the table's own rules read. */
export interface StoredState extends Presentity {
  readonly publicationCount: number;
  /** When the sweep looks at it next; never after the earliest expiry. */
  readonly dueAtMs?: number;
}

/** @throws {ContractError} when the item is not a presentity's state */
export function decodePresentity(item: Item): StoredState {
  const result = v.safeParse(stateAttributes, item);
  if (!result.success) throw unreadable(item, result.issues);
  const { version, changedAtMs, pubCount, dueAtMs, registered, accessAtMs, decisions, reset, cause } = result.output;
  const publications = Object.entries(item)
    .filter(([name]) => name.startsWith(PUBLICATION_PREFIX))
    .map(([name, value]) => decodePublication(item, name, value));
  return {
    ...{ version, changedAtMs, publications, publicationCount: pubCount, dueAtMs },
    ...(registered !== undefined && { registered }),
    ...(accessAtMs !== undefined && { accessChangedAtMs: accessAtMs }),
    ...(decisions !== undefined && { decisions }),
    ...(reset !== undefined && { reset }),
    ...(cause?.atMs === changedAtMs && { causedBy: cause.callId }),
    changes: numbersOf(item, CHANGES_PREFIX),
    watchedUntilMs: numbersOf(item, WATCHED_PREFIX),
  };
}

function numbersOf(item: Item, prefix: string): Record<string, number> {
  const numbers = Object.entries(item).filter((each): each is [string, number] => {
    return each[0].startsWith(prefix) && typeof each[1] === 'number';
  });
  return Object.fromEntries(numbers.map(([name, value]) => [name.slice(prefix.length), value]));
}

function decodePublication(item: Item, name: string, value: unknown): Publication {
  const result = v.safeParse(storedPublication, value);
  if (!result.success) throw unreadable(item, result.issues);
  const { tag, event, by, expMs, atMs } = result.output;
  return {
    id: name.slice(PUBLICATION_PREFIX.length),
    entityTag: tag,
    event,
    publisher: by,
    expiresAtMs: expMs,
    updatedAtMs: atMs,
    content: contentOf(result.output),
  };
}

function contentOf(output: v.InferOutput<typeof storedPublication>): PublicationContent {
  if ('doc' in output) return output.doc;
  const { live, over, gone } = output;
  return { kind: 'dialogs', live: Object.values(live), terminated: over, tombstones: Object.values(gone) };
}

const unreadable = (item: Item, issues: [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): ContractError =>
  new ContractError(`Item ${item.PK} ${item.SK}: ${v.summarize(issues)}`);

const shortHash = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 12);
