/** One user's whole way through the system: connect, register, subscribe, publish, and see the lamp change. */
import { LampProbe, statusText } from '#runtime/lamp-probe.ts';
import type { Account, TimedAnswer } from '#runtime/sip-probe.ts';
import type { Check, Finding } from './checks.ts';
import { lastNetworkCheck } from './network-checks.ts';

const LOGS = 'Look at the logs of the functions, and at /readyz of the gateway.';

export interface SipChecks {
  readonly checks: readonly Check[];
  /** Ends the connection, however far the checks came. */
  close(): void;
}

/** @param account asks for it when it is needed, since it may have to be made first */
export function sipChecks(gateway: string, account: () => Account, accountCheck: string): SipChecks {
  let probe: LampProbe | undefined;
  const way = (): LampProbe => probe ?? fail('there is no connection');
  const checks: Check[] = [
    {
      ...{ name: 'WebSocket', needs: [lastNetworkCheck('gateway', gateway), accountCheck] },
      advice:
        'Something that speaks HTTP is there, but no gateway: check the address and path, and that a proxy before it passes Upgrade and Sec-WebSocket-Protocol.',
      run: async () => {
        probe = await LampProbe.connect(gateway, account(), 'lampfield doctor');
        return { detail: 'subprotocol sip' };
      },
    },
    {
      ...{ name: 'OPTIONS', needs: ['WebSocket'] },
      advice: `The gateway does not answer SIP. ${LOGS}`,
      run: async () => answered(await way().options()),
    },
    {
      ...{ name: 'REGISTER', needs: ['WebSocket'] },
      advice: `401 and 403: user or password is wrong. 500, 503, 504: the gateway does not reach its functions, or they not the table. ${LOGS}`,
      run: async () => answered(await way().register()),
    },
    {
      ...{ name: 'SUBSCRIBE', needs: ['REGISTER'] },
      advice: `403: the watch policy of the tenant. ${LOGS}`,
      run: async () => answered(await way().subscribe()),
    },
    {
      ...{ name: 'first NOTIFY', needs: ['SUBSCRIBE'] },
      advice: `The subscription stands, but its first NOTIFY does not come. ${LOGS}`,
      run: async () => ({ detail: `${await way().firstNotify()} bytes` }),
    },
    {
      ...{ name: 'PUBLISH', needs: ['REGISTER'] },
      advice: `403: this account may not publish for itself. ${LOGS}`,
      run: async () => answered(await way().publish()),
    },
    {
      ...{ name: 'NOTIFY of the change', needs: ['first NOTIFY', 'PUBLISH'] },
      advice:
        'States are kept but not told: look at the stream of the table, the function notify, and whether it reaches the private port of the gateways.',
      run: async () => ({ detail: 'the lamp is red, since the PUBLISH left', ms: await way().lampChange() }),
    },
    {
      ...{ name: 'tidying up', needs: ['REGISTER'] },
      advice: 'What is left ends by itself within five minutes.',
      run: async () => {
        await way().tidyUp();
        return { detail: 'unpublished, unsubscribed, unregistered' };
      },
    },
  ];
  return { checks, close: () => probe?.close() };
}

function fail(text: string): never {
  throw new Error(text);
}

const answered = ({ response, ms }: TimedAnswer): Finding => ({ detail: statusText(response), ms });
