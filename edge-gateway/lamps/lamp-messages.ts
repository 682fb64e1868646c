/** Messages of the JSON stream of lamps (README.md beside this): what clients say, and what they are told. */
import * as v from 'valibot';
import type { LampDocument } from '#core/lamp-document.ts';

/** WebSocket subprotocol and path. */
export const LAMP_PROTOCOL = 'lampfield.lamps.v1';
export const LAMP_PATH = '/lamps';

export const LAMP_LIMITS = { usersPerConnection: 500, messageBytes: 65_536 } as const;

const MAX_NAME = 320;
const MAX_TOKEN = 8_192;

const users = v.pipe(
  v.array(v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_NAME))),
  v.minLength(1),
  v.maxLength(LAMP_LIMITS.usersPerConnection),
);
const clientMessage = v.variant('type', [
  v.object({ type: v.literal('watch'), users }),
  v.object({ type: v.literal('unwatch'), users }),
  v.object({ type: v.literal('resume'), cursor: v.string() }),
  v.object({ type: v.literal('token'), token: v.pipe(v.string(), v.maxLength(MAX_TOKEN), v.regex(/^[\w.~+/=-]+$/)) }),
]);
export type ClientMessage = v.InferOutput<typeof clientMessage>;

const lampDocument = v.looseObject({ state: v.string(), dialogs: v.array(v.unknown()), sequence: v.number() });

export type ServerMessage =
  | ({ readonly type: 'lamp'; readonly user: string } & Pick<LampDocument, 'sequence'>)
  /** The watch policy waits for somebody's word. */
  | { readonly type: 'pending'; readonly user: string }
  /** There is nothing to watch; saying it again may help only for 503. */
  | { readonly type: 'refused'; readonly user: string; readonly status: number; readonly reason: string }
  /** It was watched, and may not be any more, or is not there any more. */
  | { readonly type: 'ended'; readonly user: string; readonly reason: string }
  /** Everything that was asked for has been told. */
  | { readonly type: 'caughtUp'; readonly cursor: string }
  | { readonly type: 'cursor'; readonly cursor: string }
  | { readonly type: 'error'; readonly reason: string };

/** @returns undefined for what is no message of this protocol */
export function readClientMessage(text: string): ClientMessage | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), clientMessage), text);
  return parsed.success ? parsed.output : undefined;
}

/** @returns undefined when the body of a NOTIFY is no lamp */
export function readLamp(body: string): v.InferOutput<typeof lampDocument> | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), lampDocument), body);
  return parsed.success ? parsed.output : undefined;
}
