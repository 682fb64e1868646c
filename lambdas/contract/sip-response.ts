/** A final SIP answer as it crosses the wire. */
import * as v from 'valibot';
import { headerEntries } from './schemas.ts';

/** A final answer; the gateway adds Via, From, To (with its tag), Call-ID, CSeq and Content-Length. */
export const sipResponse = v.object({
  status: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(699)),
  reason: v.string(),
  headers: headerEntries,
  body: v.optional(v.string()),
});
export type EnvelopedResponse = v.InferOutput<typeof sipResponse>;
