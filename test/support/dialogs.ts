/** Published documents and in-dialog envelopes for tests of the dialog event package. */
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity } from '#contract/schemas.ts';
import { envelopeOf, type TestRequest } from './envelope.ts';

export const ALICE: Identity = { domain: 'demo.example', user: '1001', role: 'user' };
export const BOB: Identity = { domain: 'demo.example', user: '1002', role: 'user' };
export const PBX: Identity = { domain: 'demo.example', user: 'pbx', role: 'publisher' };

/** A dialog-info document around the given dialog elements. */
export function dialogInfo(dialogs: string, state = 'full', entity = 'sip:1002@demo.example'): string {
  const start = `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="${state}"`;
  return `<?xml version="1.0"?>\n${start} entity="${entity}">${dialogs}</dialog-info>`;
}

/** A dialog element with Call-ID and tags made of its id. */
export function dialogElement(id: string, state: string, more = ''): string {
  const names = `id="${id}" call-id="call-${id}" local-tag="l-${id}" remote-tag="r-${id}"`;
  return `<dialog ${names} direction="recipient"><state>${state}</state>${more}</dialog>`;
}

export interface TestPublish {
  readonly body?: string;
  readonly presentity?: string;
  readonly identity?: Identity;
  readonly expires?: number;
  readonly ifMatch?: string;
  readonly callId?: string;
  readonly headers?: readonly (readonly [string, string])[];
}

/** A PUBLISH by the PBX for 1002 unless told otherwise. */
export function publishOf({ body = '', ...rest }: TestPublish): RequestEnvelope {
  const identity = rest.identity ?? PBX;
  const presentity = rest.presentity ?? 'sip:1002@demo.example';
  const headers: (readonly [string, string])[] = rest.headers ? [...rest.headers] : [['Event', 'dialog']];
  if (rest.expires !== undefined) headers.push(['Expires', String(rest.expires)]);
  if (rest.ifMatch !== undefined) headers.push(['SIP-If-Match', rest.ifMatch]);
  const isTyped = headers.some(([name]) => name === 'Content-Type');
  if (body !== '' && !isTyped) headers.push(['Content-Type', 'application/dialog-info+xml']);
  const from = `sip:${identity.user}@${identity.domain}`;
  const names = { from, to: presentity, ...(rest.callId !== undefined && { callId: rest.callId }) };
  return envelopeOf({ method: 'PUBLISH', requestUri: presentity, ...names, identity, headers, body });
}

export interface TestSubscribe extends Partial<TestRequest> {
  readonly expires?: number;
  readonly event?: string;
  /** Contact field value. */
  readonly contact?: string;
  /** To tag of a SUBSCRIBE inside its dialog. */
  readonly inDialog?: string;
  /** What the gateway knows of the dialog. */
  readonly presentity?: string;
}

/** A SUBSCRIBE by 1001 to 1002 unless told otherwise. */
export function subscribeOf({
  expires,
  event = 'dialog',
  inDialog,
  presentity,
  contact = '<sip:abc@client.invalid;transport=ws>',
  ...rest
}: TestSubscribe): RequestEnvelope {
  const to = rest.to ?? 'sip:1002@demo.example';
  const headers: (readonly [string, string])[] = [['Contact', contact]];
  if (event !== '') headers.push(['Event', event]);
  if (expires !== undefined) headers.push(['Expires', String(expires)]);
  const envelope = envelopeOf({
    ...{ requestUri: to, identity: ALICE, toTag: 'sub-1', ...rest, to },
    ...{ method: 'SUBSCRIBE', headers: [...headers, ...(rest.headers ?? [])] },
  });
  if (inDialog === undefined) return envelope;
  const tagged = envelope.request.headers.map(([name, value]): [string, string] => {
    return [name, name === 'To' ? `${value};tag=${inDialog}` : value];
  });
  return { ...envelope, presentity, request: { ...envelope.request, headers: tagged } };
}
