/** sip.js and JsSIP sign in without a password of their user: with credentials for a while, and with tokens. */
import { createHmac } from 'node:crypto';
import JsSIP from 'jssip';
import { Registerer, RegistererState, UserAgent } from 'sip.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { installWebSocket } from './watcher.ts';

let stack: LocalStack;
let secret: string;
beforeAll(async () => {
  installWebSocket();
  stack = await startStack();
  secret = (await api<{ secret: string }>('PUT', '/shared-secrets/portal')).secret;
}, 90_000);
afterAll(() => stack.stop());

async function api<Body>(method: string, resource: string, body?: unknown): Promise<Body> {
  const headers = { authorization: 'Bearer local-admin-key', 'content-type': 'application/json' };
  const url = `${stack.apiUrl}/tenants/demo.example${resource}`;
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  expect(response.status).toBeLessThan(300);
  return (await response.json()) as Body;
}

/** As a portal makes them. */
function temporary(user: string): { readonly username: string; readonly password: string } {
  const username = `${Math.floor(Date.now() / 1_000) + 300}:${user}`;
  return { username, password: createHmac('sha256', secret).update(username).digest('base64') };
}

const tokenUrl = async (user: string): Promise<string> => {
  const { token } = await api<{ token: string }>('POST', '/tokens', { user, expiresSeconds: 300 });
  return `${stack.url()}?access_token=${token}`;
};

async function registersWithSipJs(user: string, server: string, account: ReturnType<typeof temporary> | undefined) {
  const uri = UserAgent.makeURI(`sip:${user}@demo.example`);
  if (uri === undefined) throw new Error('no URI');
  const agent = new UserAgent({
    ...{ uri, transportOptions: { server }, logLevel: 'error' as const, gracefulShutdown: false },
    ...(account && { authorizationUsername: account.username, authorizationPassword: account.password }),
  });
  await agent.start();
  onTestFinished(() => agent.stop());
  const registerer = new Registerer(agent, { expires: 300 });
  const settled = new Promise<RegistererState>((resolve) => registerer.stateChange.addListener(resolve));
  await registerer.register();
  expect(await settled).toBe(RegistererState.Registered);
}

async function registersWithJsSip(user: string, server: string, account: ReturnType<typeof temporary> | undefined) {
  const agent = new JsSIP.UA({
    ...{ sockets: [new JsSIP.WebSocketInterface(server)], uri: `sip:${user}@demo.example`, register_expires: 300 },
    ...(account && { authorization_user: account.username, password: account.password }),
  });
  const settled = new Promise<string>((resolve) => {
    agent.once('registered', () => resolve('registered'));
    agent.once('registrationFailed', ({ cause }) => resolve(String(cause)));
  });
  agent.start();
  onTestFinished(() => agent.stop());
  expect(await settled).toBe('registered');
}

describe.each([
  ['sip.js', registersWithSipJs],
  ['JsSIP', registersWithJsSip],
] as const)('%s', (_name, registers) => {
  it('registers with credentials that a portal made', () => registers('1001', stack.url(), temporary('1001')));
  it('registers on a flow that a token in its URL has signed in', async () =>
    registers('1002', await tokenUrl('1002'), undefined));
});
