/** Envelopes and digest answers for tests of roles and handlers. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { type RequestEnvelope, requestEnvelope } from '#contract/request-envelope.ts';
import type { Identity } from '#contract/schemas.ts';

// In the future: DynamoDB Local removes items whose TTL has passed.
export const T0 = 4_000_000_000_000;

export interface TestRequest {
  readonly method: string;
  readonly requestUri?: string;
  /** AOR in From and To, such as `sip:1001@demo.example`. */
  readonly from?: string;
  readonly to?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly flowId?: string;
  readonly gatewayId?: string;
  readonly identity?: Identity;
  readonly nonceReplayed?: boolean;
  readonly tenantFull?: RequestEnvelope['tenantFull'];
  readonly toTag?: string;
  readonly receivedAtMs?: number;
}

/** An envelope as a gateway would send it, decoded. */
export function envelopeOf(request: TestRequest): RequestEnvelope {
  const from = request.from ?? 'sip:1001@demo.example';
  return v.parse(requestEnvelope, {
    gatewayId: request.gatewayId ?? 'gateway-1',
    flowId: request.flowId ?? 'flow-1',
    transport: 'WSS',
    sourceAddress: '192.0.2.7',
    identity: request.identity,
    receivedAtMs: request.receivedAtMs ?? T0,
    toTag: request.toTag ?? 'tag-1',
    nonceReplayed: request.nonceReplayed,
    tenantFull: request.tenantFull,
    request: {
      method: request.method,
      requestUri: request.requestUri ?? 'sip:demo.example',
      headers: [
        ['Via', 'SIP/2.0/WSS client.invalid;branch=z9hG4bK1'],
        ['Max-Forwards', '70'],
        ['From', `<${from}>;tag=from-1`],
        ['To', `<${request.to ?? from}>`],
        ['Call-ID', request.callId ?? 'call-1'],
        ['CSeq', `${request.cseq ?? 1} ${request.method}`],
        ...(request.headers ?? []),
      ],
      body: request.body ?? '',
    },
  });
}

export interface DigestAnswer {
  readonly username: string;
  readonly password: string;
  readonly realm: string;
  readonly nonce: string;
  readonly method: string;
  readonly uri: string;
  readonly algorithm?: 'SHA-256' | 'MD5';
}

/** Authorization value of a client that answers a challenge (RFC 7616, qop=auth); written apart from the product. */
export function authorizationOf(answer: DigestAnswer): string {
  const algorithm = answer.algorithm ?? 'SHA-256';
  const h = (text: string) =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex');
  const ha1 = h(`${answer.username}:${answer.realm}:${answer.password}`);
  const ha2 = h(`${answer.method}:${answer.uri}`);
  const response = h(`${ha1}:${answer.nonce}:00000001:c0ffee:auth:${ha2}`);
  const quoted = { username: answer.username, realm: answer.realm, nonce: answer.nonce, uri: answer.uri, response };
  const pairs = Object.entries(quoted).map(([name, value]) => `${name}="${value}"`);
  return `Digest ${[...pairs, `algorithm=${algorithm}`, 'qop=auth', 'nc=00000001', 'cnonce="c0ffee"'].join(', ')}`;
}
