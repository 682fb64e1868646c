/** AWS Signature Version 4 for one request without query string; spares an SDK client for one call at start. */
import { createHash, createHmac } from 'node:crypto';
import type { AwsAccess } from './environment.ts';

const ALGORITHM = 'AWS4-HMAC-SHA256';

export interface UnsignedRequest {
  readonly service: string;
  readonly method: string;
  /** Absolute path, already encoded. */
  readonly path: string;
  /** Lower-case names; `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @returns the headers to send: the given ones with `x-amz-date`, the session token and `authorization` */
export function signRequest(request: UnsignedRequest, access: AwsAccess, nowMs: number): Record<string, string> {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const date = time.slice(0, 8);
  const headers: Record<string, string> = { ...request.headers, 'x-amz-date': time };
  if (access.sessionToken) headers['x-amz-security-token'] = access.sessionToken;
  const names = Object.keys(headers).sort();
  const canonicalHeaders = Object.entries(headers)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim()}\n`)
    .join('');
  const signed = names.join(';');
  const canonical = [request.method, request.path, '', canonicalHeaders, signed, sha256(request.body)].join('\n');
  const scope = `${date}/${access.region}/${request.service}/aws4_request`;
  const text = [ALGORITHM, time, scope, sha256(canonical)].join('\n');
  const key = [date, access.region, request.service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${access.secretAccessKey}`,
  );
  const signature = createHmac('sha256', key).update(text).digest('hex');
  const credential = `${access.accessKeyId}/${scope}`;
  return {
    ...headers,
    authorization: `${ALGORITHM} Credential=${credential}, SignedHeaders=${signed}, Signature=${signature}`,
  };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
