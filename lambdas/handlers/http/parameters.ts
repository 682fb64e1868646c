/** What may stand at the placeholders of paths, and the parameters that all lists take. One name means the same everywhere. */
import * as v from 'valibot';
import { SOURCE_NAME } from '#core/ingest.ts';
import { Problem } from '#core/problem.ts';
import type { Answer, Context } from './route.ts';

const MAX_TEXT = 2_048;
const MAX_LIMIT = 200;
const DEFAULT_LIMIT = 50;

/** Any text of the path that is not endless. */
const anyText = v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TEXT));

/** A tenant's domain, in lower case. */
export const domainName = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.regex(/^[a-z0-9][a-z0-9.-]{0,252}$/, 'is no domain name'),
);

/** What stands left of the @ in an address-of-record: what needs no escape in a SIP URI, and no slash. */
export const userName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.!~*'()&=+$,;?-]{1,64}$/, "is no user name: 1 to 64 letters, digits or _.!~*'()&=+$,;?-"),
);

/** A time as text, in UTC. */
export const time = v.pipe(v.string(), v.isoTimestamp());

export const sourceName = v.pipe(
  v.string(),
  v.regex(SOURCE_NAME, 'is no name of a source: 1 to 64 letters, digits or ._-, a letter or digit first'),
);
export const dialogName = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7e]{1,128}$/, 'is no id of a dialog: 1 to 128 visible ASCII characters'),
);

const keyId = v.pipe(v.string(), v.regex(/^[0-9a-f]{12}$/, 'is no id of a key'));

const publicationId = v.pipe(v.string(), v.regex(/^[\w.:-]{1,128}$/, 'is no id of a publication'));

/** By the name of the placeholder. */
export const PARAMETERS = {
  tenant: v.pipe(domainName, v.description('Domain of the tenant')),
  user: v.pipe(userName, v.description('User name: what stands left of the @ in its address')),
  name: v.pipe(userName, v.description('Name of the list: what stands left of the @ in its address')),
  id: v.pipe(keyId, v.description('Id of the key: the middle of its prefix')),
  dialog: v.pipe(dialogName, v.description('Id of the dialog, as its source calls it')),
  source: v.pipe(sourceName, v.description('Who says it: a PBX, a portal')),
  publication: v.pipe(publicationId, v.description('Id of the publication, as the presentity shows it')),
  secret: v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9_-]{1,32}$/, 'is no id of a secret: 1 to 32 letters, digits or _-'),
    v.description('Id of a shared secret, as the tenant calls it'),
  ),
  token: v.pipe(
    v.string(),
    v.regex(/^[\w-]{16}$/, 'is no id of a token'),
    v.description('Id of a token, as it was handed out'),
  ),
  connection: v.pipe(anyText, v.description('Id of a connection, as the list shows it')),
  webhook: v.pipe(
    v.string(),
    v.regex(/^[0-9a-f]{12}$/, 'is no id of a webhook'),
    v.description('Id of the webhook, as it was given when it was made'),
  ),
  watcher: v.pipe(anyText, v.description('Who watches: a user name of the tenant, or an address (sip:user@domain)')),
  callId: v.pipe(anyText, v.description('Call-ID, percent-encoded')),
  profile: v.pipe(anyText, v.description('Profile of calls')),
  value: v.pipe(anyText, v.description('Value of the profile, percent-encoded')),
} as const satisfies Record<string, v.GenericSchema<string, string>>;

/** Parameters of every list. */
export const PAGE = {
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,3}$/),
      v.transform(Number),
      v.number(),
      v.minValue(1),
      v.maxValue(MAX_LIMIT),
      v.description(`How many at most; ${DEFAULT_LIMIT} without it`),
    ),
    String(DEFAULT_LIMIT),
  ),
  cursor: v.optional(v.pipe(v.string(), v.maxLength(MAX_TEXT), v.description('`next` of the page before'))),
};

export const pageQuery = v.object(PAGE);

const cursor = v.pipe(
  v.string(),
  v.parseJson(),
  v.strictTuple([v.string(), v.pipe(v.array(v.string()), v.maxLength(2))]),
);

/** Where a page begins; `from` is what the page before ended with, empty at the first. */
export interface PageWish {
  readonly limit: number;
  readonly from: readonly string[];
}

type Paged = Pick<Context<string, { readonly limit: number; readonly cursor?: string | undefined }>, 'query' | 'place'>;

/** Reads `limit` and `cursor`. @throws {Problem} 400 for a cursor of another tenant or another list */
export function pageOf({ query, place }: Paged): PageWish {
  if (query.cursor === undefined) return { limit: query.limit, from: [] };
  const result = v.safeParse(cursor, Buffer.from(query.cursor, 'base64url').toString());
  if (!result.success || result.output[0] !== place) throw new Problem(400, 'The cursor is not one of this list.');
  return { limit: query.limit, from: result.output[1] };
}

/** As {@link pageOf}, for a list whose places are one text. */
export function pageAfter(context: Paged): { readonly limit: number; readonly after: string | undefined } {
  const { limit, from } = pageOf(context);
  return { limit, after: from[0] };
}

/** A page, with the cursor of what follows. @param following what it ended with; undefined when that was all */
export function listAnswer(
  { place }: Pick<Context, 'place'>,
  items: readonly unknown[],
  following: string | readonly string[] | undefined,
): Answer {
  const after = [following ?? []].flat();
  const next = after.length === 0 ? undefined : Buffer.from(JSON.stringify([place, after])).toString('base64url');
  return { body: { items, next } };
}

/** The schema of a page. */
export const listOf = <Item extends v.GenericSchema>(item: Item) =>
  v.object({
    items: v.array(item),
    next: v.optional(v.pipe(v.string(), v.description('`cursor` of the next page; absent at the end'))),
  });
