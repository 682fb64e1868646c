/** Records of the stream that change who may watch whom: of accounts, of tenants, of a review that runs. */
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { NO_RULES, type TenantWatch, type WatchRules } from '#core/watch-policy.ts';
import { PROFILE_SORT_KEY, REVIEW_SORT_KEY, TENANT_SORT_KEY, tenantOfKey, userOfKey } from './keys.ts';
import { imagesOfRecord, type RecordImages } from './stream-record.ts';
import type { Item } from './table.ts';
import { completeWatch, givenWatch } from './tenant-watch.ts';
import { decodeWatchRules } from './watch-rules.ts';

/**
 * `account`: what a user says of watching, or its groups, are others. `tenant`: its policy is another. `review`: a review of a
 * whole tenant has begun or come further.
 */
export type WatchChange = { readonly sequenceNumber: string } & (
  | { readonly kind: 'account'; readonly address: Address; readonly before: WatchRules; readonly after: WatchRules }
  | { readonly kind: 'tenant'; readonly domain: string; readonly before: TenantWatch; readonly after: TenantWatch }
  | { readonly kind: 'review'; readonly domain: string }
);

/**
 * @returns undefined for a record of anything else, and for one that changes none of it
 * @throws {ContractError} when it cannot be read
 */
export function decodeWatchChange(input: unknown): WatchChange | undefined {
  const images = imagesOfRecord(input);
  switch (images.sortKey) {
    case PROFILE_SORT_KEY:
      return accountChange(images);
    case TENANT_SORT_KEY:
      return tenantChange(images);
    case REVIEW_SORT_KEY: {
      const domain = tenantOfKey(images.partitionKey);
      const { sequenceNumber, after } = images;
      return domain === undefined || after === undefined ? undefined : { kind: 'review', sequenceNumber, domain };
    }
    default:
      return undefined;
  }
}

// Of an account that is removed all subscriptions end elsewhere: there is nothing to decide.
function accountChange({ partitionKey, sequenceNumber, before, after }: RecordImages): WatchChange | undefined {
  const address = userOfKey(partitionKey);
  if (address === undefined || after === undefined) return undefined;
  const rules = { before: before ? decodeWatchRules(before) : NO_RULES, after: decodeWatchRules(after) };
  return isDeepStrictEqual(rules.before, rules.after)
    ? undefined
    : { kind: 'account', sequenceNumber, address, ...rules };
}

function tenantChange({ partitionKey, sequenceNumber, before, after }: RecordImages): WatchChange | undefined {
  const domain = tenantOfKey(partitionKey);
  if (domain === undefined || after === undefined) return undefined;
  const policies = { before: watchOf(before), after: watchOf(after) };
  return isDeepStrictEqual(policies.before, policies.after)
    ? undefined
    : { kind: 'tenant', sequenceNumber, domain, ...policies };
}

const tenantAttributes = v.object({ watch: v.optional(givenWatch, {}) });

function watchOf(item: Item | undefined): TenantWatch {
  const result = v.safeParse(tenantAttributes, item ?? {});
  if (!result.success) throw new ContractError(`Item ${item?.PK}: ${v.summarize(result.issues)}`);
  return completeWatch(result.output.watch);
}
