/** One user's whole way through the system: connect, register, subscribe, publish, and see the lamp change. */

import { tagOf } from '#core/sip/header.ts';
import type { SipRequest, SipResponse } from '#core/sip/message.ts';
import type { Check, Finding } from './checks.ts';
import { lastNetworkCheck } from './network-checks.ts';
import { type Account, SipProbe, type TimedAnswer, token } from './sip-probe.ts';

const DIALOG_INFO = 'application/dialog-info+xml';
const EXPIRES_SECONDS = 300;
const LOGS = 'Look at the logs of the functions, and at /readyz of the gateway.';

export interface SipChecks {
  readonly checks: readonly Check[];
  /** Ends the connection, however far the checks came. */
  close(): void;
}

/** @param account asks for it when it is needed, since it may have to be made first */
export function sipChecks(gateway: string, account: () => Account, accountCheck: string): SipChecks {
  let probe: SipProbe | undefined;
  const flow = (): SipProbe => probe ?? fail('there is no connection');
  const publication = { etag: '', callId: `doctor-${token()}`, atMs: 0 };
  const dialog = { callId: token(), fromTag: token(), toTag: undefined as string | undefined };
  const checks: Check[] = [
    {
      ...{ name: 'WebSocket', needs: [lastNetworkCheck('gateway', gateway), accountCheck] },
      advice:
        'Something that speaks HTTP is there, but no gateway: check the address and path, and that a proxy before it passes Upgrade and Sec-WebSocket-Protocol.',
      run: async () => {
        probe = await SipProbe.connect(gateway, account());
        return { detail: 'subprotocol sip' };
      },
    },
    {
      ...{ name: 'OPTIONS', needs: ['WebSocket'] },
      advice: `The gateway does not answer SIP. ${LOGS}`,
      run: async () => answered(await flow().request({ method: 'OPTIONS', uri: `sip:${account().domain}` })),
    },
    {
      ...{ name: 'REGISTER', needs: ['WebSocket'] },
      advice: `401 and 403: user or password is wrong. 500, 503, 504: the gateway does not reach its functions, or they not the table. ${LOGS}`,
      run: async () => answered(await flow().request(registration(flow(), account(), EXPIRES_SECONDS))),
    },
    {
      ...{ name: 'SUBSCRIBE', needs: ['REGISTER'] },
      advice: `403: the watch policy of the tenant. ${LOGS}`,
      run: async () => {
        const answer = await flow().request(subscription(flow(), { ...dialog, cseq: 1 }, EXPIRES_SECONDS));
        dialog.toTag = tagOf(answer.response.get('to') ?? '');
        return answered(answer);
      },
    },
    {
      ...{ name: 'first NOTIFY', needs: ['SUBSCRIBE'] },
      advice: `The subscription stands, but its first NOTIFY does not come. ${LOGS}`,
      run: async () => ({ detail: `${(await flow().received(isNotify)).request.body.length} bytes` }),
    },
    {
      ...{ name: 'PUBLISH', needs: ['REGISTER'] },
      advice: `403: this account may not publish for itself. ${LOGS}`,
      run: async () => {
        publication.atMs = performance.now();
        const answer = await flow().request(publishDialog(flow(), publication.callId));
        publication.etag = answer.response.get('sip-etag') ?? '';
        return answered(answer);
      },
    },
    {
      ...{ name: 'NOTIFY of the change', needs: ['first NOTIFY', 'PUBLISH'] },
      advice:
        'States are kept but not told: look at the stream of the table, the function notify, and whether it reaches the private port of the gateways.',
      run: async () => {
        const isOurs = (request: SipRequest): boolean => isNotify(request) && request.body.includes(publication.callId);
        const { atMs } = await flow().received(isOurs);
        return { detail: 'the lamp is red, since the PUBLISH left', ms: atMs - publication.atMs };
      },
    },
    {
      ...{ name: 'tidying up', needs: ['REGISTER'] },
      advice: 'What is left ends by itself within five minutes.',
      run: async () => tidyUp(flow(), account(), publication.etag, dialog),
    },
  ];
  return { checks, close: () => probe?.close() };
}

function fail(text: string): never {
  throw new Error(text);
}

/** @throws when the answer is no 2xx */
function answered({ response, ms }: TimedAnswer): Finding {
  const detail = statusText(response);
  if (response.status >= 300) throw new Error(detail);
  return { detail, ms };
}

function statusText(response: SipResponse): string {
  const why = response.get('warning') ?? response.get('retry-after');
  return `${response.status} ${response.reason}${why === undefined ? '' : ` (${why})`}`;
}

const isNotify = ({ method }: SipRequest): boolean => method === 'NOTIFY';

const registration = (probe: SipProbe, { domain }: Account, expires: number) => ({
  method: 'REGISTER',
  uri: `sip:${domain}`,
  headers: [
    ['Contact', probe.contact],
    ['Expires', String(expires)],
  ] as [string, string][],
});

const subscription = (
  probe: SipProbe,
  dialog: { callId: string; fromTag: string; toTag: string | undefined; cseq: number },
  expires: number,
) => ({
  ...{ method: 'SUBSCRIBE', uri: probe.aor, ...dialog },
  headers: [
    ['Contact', probe.contact],
    ['Event', 'dialog'],
    ['Accept', DIALOG_INFO],
    ['Expires', String(expires)],
  ] as [string, string][],
});

const publishOf = (probe: SipProbe, expires: number, headers: [string, string][], body: string) => ({
  ...{ method: 'PUBLISH', uri: probe.aor, body },
  headers: [['Event', 'dialog'], ['Expires', String(expires)], ...headers] as [string, string][],
});

/** A dialog that stands, as a telephone would publish it (RFC 4235). */
function publishDialog(probe: SipProbe, callId: string) {
  const dialog = `<dialog id="doctor" call-id="${callId}" local-tag="a" remote-tag="b" direction="initiator"><state>confirmed</state></dialog>`;
  const body = `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="${probe.aor}">${dialog}</dialog-info>`;
  return publishOf(probe, EXPIRES_SECONDS, [['Content-Type', DIALOG_INFO]], body);
}

async function tidyUp(
  probe: SipProbe,
  account: Account,
  etag: string,
  dialog: { callId: string; fromTag: string; toTag: string | undefined },
): Promise<Finding> {
  if (etag !== '') answered(await probe.request(publishOf(probe, 0, [['SIP-If-Match', etag]], '')));
  if (dialog.toTag !== undefined) answered(await probe.request(subscription(probe, { ...dialog, cseq: 10 }, 0)));
  answered(await probe.request(registration(probe, account, 0)));
  return { detail: 'unpublished, unsubscribed, unregistered' };
}
