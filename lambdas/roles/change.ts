/** Changes of resources by the HTTP API: conditional, idempotent, each with its line in the audit trail. */
import { isDeepStrictEqual } from 'node:util';
import { StaleWrite } from '#core/error.ts';
import { etagOf, type Precondition, requirePrecondition } from '#core/precondition.ts';
import { type AuditLine, auditItem } from '#table/audit-item.ts';
import { nextVersion } from '#table/resource-write.ts';
import type { Table, TransactionWrite } from '#table/table.ts';

/** Who changes what, and when. */
export interface Change {
  readonly precondition: Precondition;
  /** Prefix of the key that was used. */
  readonly by: string;
  /** Path of the resource. */
  readonly resource: string;
  readonly requestId: string;
  readonly nowMs: number;
}

export interface ChangePorts {
  readonly table: Table;
  /** Bytes from a cryptographic source. */
  readonly random: (bytes: number) => Buffer;
}

/** A resource as it stands. `shown` is what a reader of the API sees of it, and the audit trail. */
export interface Standing<Shown extends object> {
  readonly version: number;
  readonly shown: Shown;
}

/** What a change comes to: the resource as it is to be, and the writes that make it so. */
export interface Decision<Shown extends object> {
  /** Undefined: it is gone. */
  readonly shown: Shown | undefined;
  readonly writes: (version: number) => readonly TransactionWrite[];
  /** Other than create, update and delete. */
  readonly action?: string;
  /** Whose audit trails get the line, where it is not that of `changeResource`. */
  readonly trails?: readonly (string | undefined)[];
  /** True when something changes that nobody is shown, such as a password. */
  readonly isHiddenChange?: boolean;
}

export interface Changed<Shown extends object> {
  readonly kind: 'created' | 'updated' | 'unchanged' | 'deleted';
  readonly shown: Shown | undefined;
  readonly etag: string;
}

const MAX_ATTEMPTS = 3;
const ID_BYTES = 6;

/**
 * Loads, decides and writes in one transaction with the audit line; what changes nothing is not written.
 * @param trails whose audit trail gets the line; undefined for the operators'
 * @throws {Problem} 412 when the precondition does not hold
 * @throws {StaleWrite} when others keep changing it
 */
export async function changeResource<Shown extends object, Found extends Standing<Shown>>(
  ports: ChangePorts,
  change: Change,
  trails: readonly (string | undefined)[],
  load: () => Promise<Found | undefined>,
  decide: (standing: Found | undefined) => Decision<Shown> | Promise<Decision<Shown>>,
): Promise<Changed<Shown>> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const standing = await load();
    requirePrecondition(change.precondition, standing && etagOf(standing.version));
    const decision = await decide(standing);
    const { shown } = decision;
    const isSame = isDeepStrictEqual(plain(shown), plain(standing?.shown)) && decision.isHiddenChange !== true;
    if (isSame) return { kind: 'unchanged', shown, etag: etagOf(standing?.version ?? 0) };
    const version = nextVersion(standing?.version, change.nowMs);
    const lines = auditWrites(ports, change, decision.trails ?? trails, standing?.shown, decision);
    const result = await ports.table.transact([...decision.writes(version), ...lines]);
    if (result.kind === 'done') return { kind: kindOf(standing, shown), shown, etag: etagOf(version) };
  }
  throw new StaleWrite(change.resource);
}

function kindOf(standing: object | undefined, shown: object | undefined): Changed<object>['kind'] {
  if (shown === undefined) return 'deleted';
  return standing === undefined ? 'created' : 'updated';
}

const ACTIONS = { created: 'create', updated: 'update', deleted: 'delete', unchanged: 'none' } as const;

/** The lines of a change. */
export function auditWrites(
  { random }: Pick<ChangePorts, 'random'>,
  { by, resource, requestId, nowMs }: Change,
  trails: readonly (string | undefined)[],
  before: object | undefined,
  { shown, action = ACTIONS[kindOf(before, shown)] }: Pick<Decision<object>, 'shown' | 'action'>,
): TransactionWrite[] {
  const id = random(ID_BYTES).toString('hex');
  const line: AuditLine = { id, atMs: nowMs, by, action, resource, requestId, ...differences(before, shown) };
  return trails.map((domain) => ({ kind: 'put', item: auditItem(domain, line) }));
}

type Members = Readonly<Record<string, unknown>>;

/** The members that differ. */
function differences(before: object | undefined, after: object | undefined): { before?: Members; after?: Members } {
  const [old, now] = [before, after].map((each) => (each === undefined ? {} : plain(each))) as [Members, Members];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  const differing = names.filter((name) => !isDeepStrictEqual(old[name], now[name]));
  const only = (members: Members): Members =>
    Object.fromEntries(differing.flatMap((name) => (name in members ? [[name, members[name]]] : [])));
  return { ...(before && { before: only(old) }), ...(after && { after: only(now) }) };
}

/** As JSON has it: what is undefined is not there. */
const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
