/** The client's side of digest access authentication (RFC 7616 section 3.4, RFC 3261 section 22): a challenge is met. Pure. */
import type { TrunkChallenge } from '#contract/call.ts';
import { ALGORITHMS, type DigestAlgorithm, digestHash, expectedResponse } from './digest.ts';
import { type Params, parseCredentials, quoteString } from './sip/header.ts';
import { ha1For, type Trunk } from './trunk.ts';

/** Of a challenge that we can meet. */
interface Meetable {
  readonly field: string;
  readonly count: number;
  readonly algorithm: DigestAlgorithm;
  readonly params: Params;
}

/** What the credentials are for. */
export interface DigestRequest {
  readonly method: string;
  readonly uri: string;
  readonly cnonce: string;
}

/**
 * Meets the challenge of our realm with the strongest algorithm among those that we know.
 * @returns the header field with the credentials; undefined when no challenge is for this account
 */
export function meetChallenge(
  { challenges }: Pick<TrunkChallenge, 'challenges'>,
  account: NonNullable<Trunk['account']>,
  request: DigestRequest,
): [name: string, value: string] | undefined {
  const meetable = challenges.flatMap((challenge) => readChallenge(challenge, account.realm) ?? []);
  const [best] = meetable.toSorted((a, b) => ALGORITHMS.indexOf(a.algorithm) - ALGORITHMS.indexOf(b.algorithm));
  if (best === undefined) return undefined;
  const name = best.field.toLowerCase() === 'www-authenticate' ? 'Authorization' : 'Proxy-Authorization';
  return [name, `Digest ${credentialsText(best, account, request)}`];
}

function readChallenge(
  { field, value, count }: TrunkChallenge['challenges'][number],
  realm: string,
): Meetable | undefined {
  const parsed = parseCredentials(value);
  if (parsed?.scheme !== 'digest' || parsed.params.get('realm') !== realm || !parsed.params.get('nonce')) return;
  const given = parsed.params.get('algorithm')?.toUpperCase() ?? 'MD5';
  const algorithm = ALGORITHMS.find((each) => each === given);
  const qops = parsed.params
    .get('qop')
    ?.toLowerCase()
    .split(/[\s,]+/);
  if (algorithm === undefined || (qops !== undefined && !qops.includes('auth'))) return undefined;
  return { field, count, algorithm, params: parsed.params };
}

function credentialsText(
  { algorithm, params, count }: Meetable,
  account: NonNullable<Trunk['account']>,
  { method, uri, cnonce }: DigestRequest,
): string {
  const { username, realm } = account;
  const ha1 = ha1For(account, algorithm);
  const nonce = params.get('nonce') ?? '';
  const nc = count.toString(16).padStart(8, '0');
  const hasQop = params.has('qop');
  const opaque = params.get('opaque');
  const response = hasQop
    ? expectedResponse({ username, realm, nonce, uri, algorithm, cnonce, nc, qop: 'auth', response: '' }, method, ha1)
    : digestHash(algorithm, `${ha1}:${nonce}:${digestHash(algorithm, `${method}:${uri}`)}`);
  return [
    ...[`username=${quoteString(username)}`, `realm=${quoteString(realm)}`, `nonce=${quoteString(nonce)}`],
    ...[`uri=${quoteString(uri)}`, `response="${response}"`, `algorithm=${algorithm}`],
    ...(hasQop ? [`qop=auth`, `nc=${nc}`, `cnonce="${cnonce}"`] : []),
    ...(opaque === undefined ? [] : [`opaque=${quoteString(opaque)}`]),
  ].join(', ');
}
