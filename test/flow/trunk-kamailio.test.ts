/** A trunk that is Kamailio: TLS with a certificate of its own authority, digest on every request, a proxy in between. */

import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { readTrunkUri } from '#table/seed-items.ts';
import { trunkItem } from '#table/trunk-item.ts';
import { type Kamailio, makeCertificate, startKamailio } from '#test/support/kamailio.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { Phone, SDP } from '#test/support/phone.ts';
import { freePort, freePortRange } from '#test/support/ports.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';
import { startSipp } from '#test/support/sipp.ts';

const ACCOUNT = { account: 'acme', password: 'pass-of-the-trunk', realm: 'provider.example' };
/** For TLS, and beside it for TCP. */
const KAMAILIO_PORTS = 2;
let stack: LocalStack;
let kamailio: Kamailio;
let sippPort: number;

beforeAll(async () => {
  const [tlsPort, ownTlsPort] = [await freePortRange(KAMAILIO_PORTS), await freePort()];
  sippPort = await freePort();
  const certificate = makeCertificate();
  const { account, password, realm } = ACCOUNT;
  kamailio = await startKamailio({ ...ACCOUNT, tlsPort, certificate, next: `127.0.0.1:${sippPort}` });
  const trunk = `sip:${account}:${password}@localhost:${tlsPort};transport=tls;realm=${realm};addresses=127.0.0.1`;
  const env = {
    TRUNK_TLS_PORT: String(ownTlsPort),
    TRUNK_TLS_CERTIFICATE_FILE: certificate.certificateFile,
    TRUNK_TLS_KEY_FILE: certificate.keyFile,
    TRUNK_AUTHORITIES_FILE: certificate.certificateFile,
  };
  stack = await startStack({ trunk, env });
}, 120_000);
afterAll(async () => {
  await stack.stop();
  await kamailio.stop();
});

async function phone(user: string): Promise<Phone> {
  const one = await Phone.connect(stack.url(), user);
  onTestFinished(() => one.client.close());
  expect((await one.client.register()).status).toBe(200);
  return one;
}

async function behind(scenario: string) {
  const run = await startSipp(scenario, { port: sippPort });
  onTestFinished(() => run.stop());
  return run;
}

it('answers through Kamailio; every request is authenticated there; the caller hangs up', async () => {
  const peer = await behind('behind-proxy');
  const caller = await phone('1001');
  caller.invite('+49301234567');
  const dialog = caller.dialogOf(await caller.response(200, 'INVITE'));
  caller.sendIn(dialog, 'ACK');
  const info = caller.sendIn(dialog, 'INFO');
  expect((await caller.finalAnswer(info)).status).toBe(200);
  const bye = caller.sendIn(dialog, 'BYE');
  expect((await caller.finalAnswer(bye)).status).toBe(200);
  await peer.passed;
  expect(caller.responses('INVITE').filter((status) => status > 200)).toEqual([]);
});

it('is cancelled behind Kamailio', async () => {
  const peer = await behind('cancelled-behind-proxy');
  const caller = await phone('1001');
  const invite = caller.invite('+49301234567');
  await caller.response(180, 'INVITE');
  caller.hopByHop('CANCEL', invite);
  expect((await caller.response(200, 'CANCEL')).status).toBe(200);
  caller.hopByHop('ACK', invite, (await caller.response(487, 'INVITE')).header('to'));
  await peer.passed;
});

it('is put on hold and ended by the other side, through Kamailio', async () => {
  const peer = await behind('hangs-up');
  const caller = await phone('1001');
  caller.invite('+49301234567');
  caller.sendIn(caller.dialogOf(await caller.response(200, 'INVITE')), 'ACK');
  const hold = await caller.request('INVITE');
  caller.answer(hold, 200, { body: SDP, headers: ['Content-Type: application/sdp'] });
  await caller.request('ACK');
  caller.answer(await caller.request('BYE'), 200);
  await peer.passed;
});

it('a trunk whose certificate nobody vouches for is not spoken to', async () => {
  const table = openDynamoDbTable({ tableName: 'lampfield', endpoint: stack.dynamoDbEndpoint });
  const port = await freePortRange(KAMAILIO_PORTS);
  const wrong = readTrunkUri(`sip:a:b@127.0.0.1:${port};transport=tls;realm=x`);
  if (wrong === undefined) throw new Error('no trunk');
  await table.put(trunkItem('acme.example', wrong, TEST_VAULT));
  table.close();
  const other = await startKamailio({ ...ACCOUNT, tlsPort: port, certificate: makeCertificate(), next: '127.0.0.1:9' });
  onTestFinished(() => other.stop());
  const caller = await Phone.connect(stack.url(), '1001', 'acme.example');
  onTestFinished(() => caller.client.close());
  await caller.client.register();
  const invite = caller.invite('0301');
  const answer = await caller.response(480, 'INVITE');
  caller.hopByHop('ACK', invite, answer.header('to'));
});
