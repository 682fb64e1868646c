import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskProtection } from '#gateway/task-protection.ts';

const T0 = 1_700_000_000_000;
const MINUTE = 60_000;

/** What the ECS agent was asked, and how it answers. */
let asked: unknown[];
let agent: Server;
let agentUri: string;
let refusal: string | undefined;
let flows: number;
let isSuperseded: boolean;

beforeEach(async () => {
  asked = [];
  [refusal, flows, isSuperseded] = [undefined, 0, false];
  agent = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const wish = JSON.parse(Buffer.concat(chunks).toString());
      asked.push([request.method, request.url, wish]);
      const { ProtectionEnabled } = wish;
      const answer = refusal === undefined ? { protection: { ProtectionEnabled, TaskArn: 'arn' } } : { error: refusal };
      response.writeHead(refusal === undefined ? 200 : 400).end(JSON.stringify(answer));
    });
  });
  await once(agent.listen(0, '127.0.0.1'), 'listening');
  agentUri = `http://127.0.0.1:${(agent.address() as AddressInfo).port}/api/task`;
});
afterEach(() => {
  agent.close();
  agent.closeAllConnections();
});

const protection = (protectedFlows = 100, uri: string | undefined = agentUri) =>
  new TaskProtection(
    { agentUri: uri, protectedFlows },
    { flows: () => flows, isSuperseded: () => isSuperseded, log: pino({ level: 'silent' }) },
  );
const PATH = '/api/task/task-protection/v1/state';
const PROTECT = ['PUT', PATH, { ProtectionEnabled: true, ExpiresInMinutes: 10 }];
const RELEASE = ['PUT', PATH, { ProtectionEnabled: false }];

describe('scale-in protection', () => {
  it('is asked for from so many flows on, renewed well before it lapses, and given back when they have gone', async () => {
    const task = protection();
    flows = 99;
    await task.advance(T0);
    expect(asked).toEqual([]);
    flows = 100;
    await task.advance(T0 + 1 * MINUTE);
    await task.advance(T0 + 2 * MINUTE);
    expect(asked).toEqual([PROTECT]);
    await task.advance(T0 + 6 * MINUTE);
    expect(asked).toEqual([PROTECT, PROTECT]);
    // A few less are no reason yet: it would flutter.
    flows = 80;
    await task.advance(T0 + 7 * MINUTE);
    expect(asked).toHaveLength(2);
    flows = 79;
    await task.advance(T0 + 8 * MINUTE);
    expect(asked).toEqual([PROTECT, PROTECT, RELEASE]);
    await task.advance(T0 + 20 * MINUTE);
    expect(asked).toHaveLength(3);
  });

  it('ends when a newer generation of gateways is there: a deployment must not wait for it', async () => {
    const task = protection();
    flows = 5_000;
    await task.advance(T0);
    isSuperseded = true;
    await task.advance(T0 + MINUTE);
    expect(asked).toEqual([PROTECT, RELEASE]);
  });

  it('looks every half minute, and tries again what was refused', async () => {
    const task = protection();
    flows = 200;
    refusal = 'ThrottlingException';
    for (let second = 0; second < 60; second += 1) await task.advance(T0 + second * 1_000);
    expect(asked).toEqual([PROTECT, PROTECT]);
    refusal = undefined;
    await task.advance(T0 + 60_000);
    await task.advance(T0 + 90_000);
    expect(asked).toEqual([PROTECT, PROTECT, PROTECT]);
  });

  it('is nothing outside of ECS, nor when it is turned off', async () => {
    flows = 1_000;
    const outside = new TaskProtection(
      { agentUri: undefined, protectedFlows: 1 },
      { flows: () => flows, isSuperseded: () => false, log: pino({ level: 'silent' }) },
    );
    await outside.advance(T0);
    await protection(0).advance(T0);
    expect(asked).toEqual([]);
  });
});
