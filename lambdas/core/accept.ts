/** Choice of a content type by Accept (RFC 3261 section 20.1). Pure. */
import { parseParameterized, splitList } from './sip/header.ts';

interface Range {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
}

/**
 * Chooses the offered type with the highest quality; of equals, the one that is offered first.
 * @param accept values of all Accept header fields; none accepts everything that is offered
 * @param offered content types, best first
 * @returns undefined when none is acceptable
 */
export function chooseContentType(accept: readonly string[], offered: readonly string[]): string | undefined {
  if (accept.length === 0) return offered[0];
  const ranges = accept.flatMap(splitList).flatMap(rangeOf);
  let best: { readonly contentType: string; readonly quality: number } | undefined;
  for (const contentType of offered) {
    const quality = qualityOf(contentType, ranges);
    if (quality > (best?.quality ?? 0)) best = { contentType, quality };
  }
  return best?.contentType;
}

function rangeOf(element: string): Range[] {
  const { value, params } = parseParameterized(element);
  const [type = '', subtype = ''] = value.toLowerCase().split('/', 2);
  const quality = Number(params.get('q') ?? '1');
  return type === '' ? [] : [{ type, subtype, quality: Number.isFinite(quality) ? quality : 1 }];
}

/** The quality of the most specific range that covers the type; 0 for none. */
function qualityOf(contentType: string, ranges: readonly Range[]): number {
  const [type = '', subtype = ''] = contentType.split('/', 2);
  const exact = ranges.find((range) => range.type === type && range.subtype === subtype);
  const ofType = ranges.find((range) => range.type === type && range.subtype === '*');
  const any = ranges.find((range) => range.type === '*');
  return (exact ?? ofType ?? any)?.quality ?? 0;
}
