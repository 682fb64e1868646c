/** What the item of a user says of watching: a part of it, without the credentials. */
import * as v from 'valibot';

/** What a user may be given. */
export const givenUserWatch = v.strictObject({});
export type GivenUserWatch = v.InferOutput<typeof givenUserWatch>;

const MAX_GROUPS = 32;
const group = v.pipe(v.string(), v.regex(/^[\p{L}\p{N}_. -]{1,64}$/u, 'Letters, digits, space, dot, dash, underscore'));
/** Groups that a user is in. */
export const userGroups = v.pipe(v.array(group), v.maxLength(MAX_GROUPS));
