/** STUN and TURN servers for the panel's audio: read from the settings, credentials made for a limited time. */
import { createHmac } from 'node:crypto';
import * as v from 'valibot';

/** How long a credential made from a secret may be used; a call that is up keeps its allocation. */
const CREDENTIAL_SECONDS = 3_600;

// Messages name no value: a setting that is wrong must not put a credential into the log.
const text = v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty'));
const url = v.pipe(text, v.regex(/^(stuns?|turns?):[^\s]+$/i, 'must be a stun:, stuns:, turn: or turns: URI'));

const iceServer = v.pipe(
  v.strictObject(
    {
      urls: v.union([url, v.pipe(v.array(url), v.minLength(1, 'must not be empty'))], 'must be URIs of STUN or TURN'),
      username: v.optional(text),
      credential: v.optional(text),
      /** Shared with the TURN server, never given away: user and credential are made from it for each visitor. */
      secret: v.optional(text),
    },
    'must have urls, and for TURN username and credential, or secret',
  ),
  v.check(hasWhatItNeeds, 'a TURN server needs either secret, or username and credential'),
);

// A browser refuses a TURN server without credentials, and with it every call.
function hasWhatItNeeds(server: IceServer & { readonly secret?: string | undefined }): boolean {
  if (server.secret !== undefined) return server.credential === undefined;
  const isTurn = [server.urls].flat().some((uri) => /^turns?:/i.test(uri));
  return !isTurn || (server.username !== undefined && server.credential !== undefined);
}

/** The value of ICE_SERVERS: a JSON array. */
export const iceServers = v.array(iceServer, 'must be a JSON array');
export type IceServerSetting = v.InferOutput<typeof iceServer>;

/** As a browser takes it (RTCIceServer). */
export interface IceServer {
  readonly urls: string | string[];
  readonly username?: string | undefined;
  readonly credential?: string | undefined;
}

/** What one visitor gets. A secret becomes a user that ends, and its HMAC (TURN REST API, as coturn has it). */
export function iceServersFor(settings: readonly IceServerSetting[], nowMs: number): IceServer[] {
  return settings.map(({ secret, ...server }) => {
    if (secret === undefined) return server;
    const expiresAt = Math.floor(nowMs / 1_000) + CREDENTIAL_SECONDS;
    const username = `${expiresAt}:${server.username ?? 'lampfield'}`;
    return { ...server, username, credential: createHmac('sha1', secret).update(username).digest('base64') };
  });
}
