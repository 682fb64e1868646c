/** Audit item: one change by the HTTP API, kept by TTL: who, what, when, and what it was before and after. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { auditKey, auditPartition } from './keys.ts';
import type { Item, Table } from './table.ts';

export interface AuditLine {
  readonly id: string;
  readonly atMs: number;
  /** Prefix of the key that was used. */
  readonly by: string;
  readonly action: string;
  /** Path of the resource. */
  readonly resource: string;
  readonly requestId: string;
  /** Members that differ, as they were and as they are; no secrets. */
  readonly before?: Readonly<Record<string, unknown>> | undefined;
  readonly after?: Readonly<Record<string, unknown>> | undefined;
}

const KEEP_SECONDS = 400 * 24 * 3_600;

const lineAttributes = v.object({
  id: v.string(),
  atMs: v.number(),
  by: v.string(),
  action: v.string(),
  resource: v.string(),
  requestId: v.string(),
  before: v.optional(v.record(v.string(), v.unknown())),
  after: v.optional(v.record(v.string(), v.unknown())),
});

/** @param domain the tenant that was changed; undefined for what operators change beside tenants */
export function auditItem(domain: string | undefined, line: AuditLine): Item {
  const ttl = Math.floor(line.atMs / 1_000) + KEEP_SECONDS;
  return { ...auditKey(domain, line.atMs, line.id), ...line, ttl };
}

/** One Query: the newest first. @param before place that the page before ended with */
export async function listAudit(
  table: Table,
  domain: string | undefined,
  { limit, before }: { readonly limit: number; readonly before?: string | undefined },
): Promise<{ readonly lines: readonly AuditLine[]; readonly place?: string | undefined }> {
  const items = await table.query({
    keyCondition: `PK = :audit${before === undefined ? '' : ' AND SK < :before'}`,
    values: { ':audit': auditPartition(domain), ...(before !== undefined && { ':before': before }) },
    descending: true,
    limit: limit + 1,
  });
  const shown = items.slice(0, limit);
  return { lines: shown.map(decodeLine), place: items.length > limit ? shown.at(-1)?.SK : undefined };
}

/** @throws {ContractError} when the item is no audit line */
function decodeLine(item: Item): AuditLine {
  const result = v.safeParse(lineAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK} is no audit line`);
  return result.output;
}
