/** Trunk item: the SIP peer of a tenant, with the secret of our account there. */
import * as v from 'valibot';
import { trunkPeer } from '#contract/call.ts';
import { ContractError } from '#core/error.ts';
import type { Trunk } from '#core/trunk.ts';
import { trunkKey } from './keys.ts';
import type { Item, Table } from './table.ts';

const hash = (hexDigits: number) => v.pipe(v.string(), v.hexadecimal(), v.length(hexDigits));
const number = v.pipe(v.string(), v.regex(/^\+?[0-9*#]*$/));
const trunkAttributes = v.object({
  ...trunkPeer.entries,
  account: v.optional(
    v.object({
      username: v.pipe(v.string(), v.nonEmpty()),
      realm: v.string(),
      ha1: v.object({ md5: hash(32), sha256: hash(64) }),
    }),
  ),
  callerId: v.optional(v.object({ number: v.optional(number), prefix: v.optional(number) }), {}),
});

/** One GetItem. @returns undefined when the tenant has no trunk */
export async function loadTrunk(table: Table, domain: string): Promise<Trunk | undefined> {
  const item = await table.get(trunkKey(domain));
  if (item === undefined) return undefined;
  const result = v.safeParse(trunkAttributes, item);
  // The values themselves are kept out of the message: one of them is a secret.
  const problems = result.issues?.map((issue) => v.getDotPath(issue)).join(', ');
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK} is not right: ${problems}`);
  return result.output;
}

export const trunkItem = (domain: string, trunk: Trunk): Item => ({ ...trunkKey(domain), ...trunk });
