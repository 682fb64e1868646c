/** Signatures of webhooks as Standard Webhooks has them: HMAC-SHA256 over id, time and body. Pure. */
import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';
export const WEBHOOK_SECRET_BYTES = 32;

/** A secret as its receiver is given it. */
export const webhookSecretOf = (bytes: Uint8Array): string => `${PREFIX}${Buffer.from(bytes).toString('base64')}`;

/**
 * Header fields of one POST.
 * @param secrets `whsec_…`; several while a new one takes over: a receiver needs one that fits
 * @param id of the message: the same whenever it is tried again
 * @param nowMs of this try: receivers refuse what is older than some minutes
 */
export function signedFields(secrets: readonly string[], id: string, nowMs: number, body: string) {
  const seconds = Math.floor(nowMs / 1_000);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': secrets.map((secret) => signatureOf(secret, `${id}.${seconds}.${body}`)).join(' '),
  };
}

function signatureOf(secret: string, signed: string): string {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
}
