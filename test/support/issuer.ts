/** An identity provider of a tenant, with keys that it can change, served on this machine. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export interface TestKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export async function makeKey(kid: string, alg = 'ES256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

export interface TokenFacts {
  readonly issuer?: string;
  readonly audience?: string | undefined;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly expiresAtMs?: number | undefined;
  readonly header?: Readonly<Record<string, unknown>>;
}

/** @param facts.claims such as `sub` */
export function signToken({ kid, alg, privateKey }: TestKey, facts: TokenFacts): Promise<string> {
  const token = new SignJWT({ ...facts.claims }).setProtectedHeader({ alg, kid, ...facts.header });
  if (facts.issuer !== undefined) token.setIssuer(facts.issuer);
  if (facts.audience !== undefined) token.setAudience(facts.audience);
  if (facts.expiresAtMs !== undefined) token.setExpirationTime(Math.floor(facts.expiresAtMs / 1_000));
  return token.sign(privateKey);
}

export interface TestIssuer {
  /** `iss`, and where its keys are. */
  readonly issuer: string;
  readonly jwksUri: string;
  /** What stands there from now on. */
  keys: readonly TestKey[];
  /** How often it was asked. */
  asked: number;
  /** What it answers instead. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  stop(): Promise<void>;
}

export async function startIssuer(...keys: TestKey[]): Promise<TestIssuer> {
  const server = createServer((request, response) => {
    issuer.asked++;
    if (issuer.answer !== undefined) issuer.answer(request, response);
    else response.end(JSON.stringify({ keys: issuer.keys.map(({ publicJwk }) => publicJwk) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: TestIssuer = {
    issuer: `${base}/`,
    jwksUri: `${base}/jwks`,
    ...{ keys, asked: 0, answer: undefined },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return issuer;
}
