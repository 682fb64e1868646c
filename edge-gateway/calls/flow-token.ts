/** Flow tokens of calls: what a Record-Route says to this system alone (RFC 5626 section 5.2). PURE. */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { type GatewayId, gatewayIdOf } from '#contract/ids.ts';
import { parseNameAddr, splitList } from '#core/sip/header.ts';
import { parseUri } from '#core/sip/uri.ts';

/** Which gateway keeps the call, where it is, and which call. */
export interface FlowToken {
  readonly gatewayId: GatewayId;
  /** Base URL of that gateway's private port. */
  readonly address: string;
  readonly callKey: string;
}

export const TOKEN_IV_BYTES = 12;
const TAG_BYTES = 16;
const MARK = 'lf1-';
const CIPHER = 'aes-256-gcm';

const keyOf = (secret: string): Buffer => createHmac('sha256', secret).update('lampfield flow token 1').digest();

export class FlowTokens {
  readonly #secrets: () => readonly string[];

  /** @param secrets as they are now: the first one seals, all open */
  constructor(secrets: () => readonly string[]) {
    this.#secrets = secrets;
  }

  /** @param iv random, of `TOKEN_IV_BYTES`, never used twice */
  seal({ gatewayId, address, callKey }: FlowToken, iv: Buffer): string {
    const [secret = ''] = this.#secrets();
    const cipher = createCipheriv(CIPHER, keyOf(secret), iv);
    const sealed = Buffer.concat([cipher.update(JSON.stringify([gatewayId, address, callKey])), cipher.final()]);
    return MARK + Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** @returns what the token says; undefined when nobody of this system made it */
  open(token: string): FlowToken | undefined {
    const bytes = Buffer.from(token.slice(MARK.length), 'base64url');
    if (!isToken(token) || bytes.length <= TOKEN_IV_BYTES + TAG_BYTES) return undefined;
    for (const secret of this.#secrets()) {
      const text = decipher(keyOf(secret), bytes);
      if (text !== undefined) return readToken(text);
    }
    return undefined;
  }
}

function decipher(key: Buffer, bytes: Buffer): string | undefined {
  const opener = createDecipheriv(CIPHER, key, bytes.subarray(0, TOKEN_IV_BYTES), { authTagLength: TAG_BYTES });
  opener.setAuthTag(bytes.subarray(TOKEN_IV_BYTES, TOKEN_IV_BYTES + TAG_BYTES));
  try {
    return opener.update(bytes.subarray(TOKEN_IV_BYTES + TAG_BYTES), undefined, 'utf8') + opener.final('utf8');
  } catch {
    return undefined;
  }
}

/** What was sealed has been written by this program. */
function readToken(text: string): FlowToken {
  const [gatewayId, address, callKey] = JSON.parse(text) as [string, string, string];
  return { gatewayId: gatewayIdOf(gatewayId), address, callKey };
}

const isToken = (user: string): boolean => user.startsWith(MARK);

/** The URI that is put into Record-Route; clients never resolve its host. @param host with the transport */
export const recordRouteOf = (token: string, host: string): string => `<sip:${token}@${host};lr>`;

/** @returns the token of a URI that a gateway of this system has put into a Record-Route, forged or not */
export function tokenOfUri(uri: string): string | undefined {
  const user = uri.includes(MARK) ? parseUri(uri)?.user : undefined;
  return user !== undefined && isToken(user) ? user : undefined;
}

/** The token of the topmost Route, and the Routes behind it. */
export function readRoutes(values: readonly string[]): { token: string | undefined; rest: string[] } {
  const [top, ...rest] = values.flatMap(splitList);
  const token = top === undefined ? undefined : tokenOfUri(parseNameAddr(top)?.uri ?? '');
  return { token, rest: token === undefined && top !== undefined ? [top, ...rest] : rest };
}
