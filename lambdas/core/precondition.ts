/** Entity-tags and the conditions of a request (RFC 9110 section 13). Pure. */
import { Problem } from './problem.ts';

/** What must hold before a change is made. */
export interface Precondition {
  /** Opaque tags without quotes; `*`: there is something. */
  readonly ifMatch?: readonly string[] | '*' | undefined;
  readonly ifNoneMatch?: readonly string[] | '*' | undefined;
}

const TAG = /^\s*(W\/)?"([\x21\x23-\x7e]*)"\s*$/;
const MAX_TAGS = 32;

/** @throws {Problem} 400 for what is no list of entity-tags */
export function readTags(text: string | undefined, name: string): readonly string[] | '*' | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === '*') return '*';
  const tags = text.split(',').map((each) => TAG.exec(each));
  if (tags.length > MAX_TAGS || tags.includes(null)) throw new Problem(400, `${name} is no list of entity-tags.`);
  return tags.flatMap((match) => {
    // A weak tag never matches strongly (section 8.8.3.2); for reading it is as good.
    const isUsable = match?.[1] === undefined || name === 'If-None-Match';
    return isUsable && match?.[2] !== undefined ? [match[2]] : [];
  });
}

/**
 * @param etag of what stands there, undefined when nothing does
 * @throws {Problem} 412
 */
export function requirePrecondition({ ifMatch, ifNoneMatch }: Precondition, etag: string | undefined): void {
  if (ifMatch !== undefined && !matches(ifMatch, etag)) {
    throw new Problem(412, etag === undefined ? 'There is nothing to match.' : 'It has changed: read it again.');
  }
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag)) throw new Problem(412, 'It is there already.');
}

export const matches = (tags: readonly string[] | '*', etag: string | undefined): boolean =>
  etag !== undefined && (tags === '*' || tags.includes(etag));

/** The entity-tag of an item by its version. */
export const etagOf = (version: number): string => version.toString(36);
