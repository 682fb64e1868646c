/** Trunk item: the SIP peer of a tenant, with our account there under the key of the vault. */
import * as v from 'valibot';
import { trunkPeer } from '#contract/call.ts';
import { ContractError } from '#core/error.ts';
import type { Vault, VaultReader } from '#core/sealed-text.ts';
import type { Trunk } from '#core/trunk.ts';
import { placeOf, trunkKey } from './keys.ts';
import type { Item, Table } from './table.ts';

const hash = (hexDigits: number) => v.pipe(v.string(), v.hexadecimal(), v.length(hexDigits));
const number = v.pipe(v.string(), v.regex(/^\+?[0-9*#]*$/));
const trunkAttributes = v.object({
  ...trunkPeer.entries,
  sealedAccount: v.optional(v.string()),
  callerId: v.optional(v.object({ number: v.optional(number), prefix: v.optional(number) }), {}),
});

const trunkAccount = v.object({
  username: v.pipe(v.string(), v.nonEmpty()),
  realm: v.string(),
  ha1: v.object({ md5: hash(32), sha256: hash(64) }),
});

/** One GetItem. @returns undefined when the tenant has no trunk */
export async function loadTrunk(table: Table, vault: VaultReader, domain: string): Promise<Trunk | undefined> {
  const item = await table.get(trunkKey(domain));
  return item && decodeTrunk(item, vault, domain);
}

/** With its version, 0 before the first change by the HTTP API. One consistent GetItem. */
export async function loadStoredTrunk(
  table: Table,
  vault: VaultReader,
  domain: string,
): Promise<{ readonly trunk: Trunk; readonly version: number } | undefined> {
  const item = await table.get(trunkKey(domain), { consistent: true });
  if (item === undefined) return undefined;
  const version = typeof item.version === 'number' ? item.version : 0;
  return { trunk: await decodeTrunk(item, vault, domain), version };
}

async function decodeTrunk(item: Item, vault: VaultReader, domain: string): Promise<Trunk> {
  const { sealedAccount, ...trunk } = parse(trunkAttributes, item, item);
  if (sealedAccount === undefined) return trunk;
  const text = (await vault()).open(sealedAccount, placeOf(trunkKey(domain)));
  return { ...trunk, account: parse(trunkAccount, JSON.parse(text), item) };
}

export function trunkItem(domain: string, { account, ...trunk }: Trunk, vault: Vault): Item {
  const key = trunkKey(domain);
  return { ...key, ...trunk, ...(account && { sealedAccount: vault.seal(JSON.stringify(account), placeOf(key)) }) };
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  { PK, SK }: Item,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  // The values themselves are kept out of the message: one of them is a secret.
  const problems = result.issues?.map((issue) => v.getDotPath(issue)).join(', ');
  if (!result.success) throw new ContractError(`Item ${PK} ${SK} is not right: ${problems}`);
  return result.output;
}
