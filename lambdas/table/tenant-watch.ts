/** Who of a tenant may watch whom: a part of the tenant item. */
import * as v from 'valibot';
import { DEFAULT_WATCH, REDACTIONS, type TenantWatch, WATCH_DEFAULTS } from '#core/watch-policy.ts';

/** Whom an entry of a list names: see core/watch-policy. */
export const watchEntry = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.maxLength(520),
  v.check((text) => !hasControlCharacter(text), 'Control characters are in no name'),
  v.description(
    'A user name, an AOR (sip:user@domain), a whole tenant (@domain) or a group of the tenant (group:name)',
  ),
);

export const redactions = v.strictObject({
  everyone: v.optional(v.picklist(REDACTIONS)),
  outsideGroup: v.optional(v.picklist(REDACTIONS)),
  federated: v.optional(v.picklist(REDACTIONS)),
});

const MAX_ENTRIES = 500;
export const watchEntries = v.pipe(v.array(watchEntry), v.maxLength(MAX_ENTRIES));

const domain = v.pipe(v.string(), v.regex(/^[a-z0-9.-]{1,253}$/, 'A domain in lower case'));
const name = v.pipe(v.string(), v.nonEmpty(), v.maxLength(256));

/** What a tenant may set. */
export const givenWatch = v.strictObject({
  default: v.optional(v.picklist(WATCH_DEFAULTS)),
  redact: v.optional(redactions),
  federation: v.optional(v.pipe(v.array(domain), v.maxLength(MAX_ENTRIES))),
  publishers: v.optional(
    v.union([
      v.literal('everyone'),
      v.pipe(v.array(v.strictObject({ publisher: name, for: watchEntries })), v.maxLength(100)),
    ]),
  ),
});
export type GivenWatch = v.InferOutput<typeof givenWatch>;

export { DEFAULT_WATCH, type TenantWatch };

/** What is set, over the defaults. */
export function completeWatch({ default: byDefault, redact, federation, publishers }: GivenWatch): TenantWatch {
  return {
    default: byDefault ?? DEFAULT_WATCH.default,
    redact: redact ?? DEFAULT_WATCH.redact,
    federation: federation ?? DEFAULT_WATCH.federation,
    publishers: publishers ?? DEFAULT_WATCH.publishers,
  };
}

const hasControlCharacter = (text: string): boolean => [...text].some((character) => character < ' ');
