/** The private port: functions send signed instructions here. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import * as v from 'valibot';
import type { GatewayId, SubscriptionId } from '#contract/ids.ts';
import {
  type Connection,
  type ForwardResult,
  type InspectedSubscription,
  type Instruction,
  type InstructionAnswerInput,
  type InstructionBatch,
  instructionBatch,
  type LimitUse,
  type NotifyInstruction,
  SIGNATURE_HEADER,
  SIGNED_AT_HEADER,
} from '#contract/instruction.ts';
import { verifyInstructions } from '#core/instruction-signature.ts';
import { connectionsOf } from './connections.ts';
import type { Flow, FlowTable } from './flow-table.ts';
import type { ForwardPath } from './forward-path.ts';
import { answerMetrics } from './health.ts';
import type { NotifyPath } from './notify-path.ts';
import type { RequestPath } from './request-path.ts';
import { documentOf, type Subscription, type SubscriptionTable } from './subscription-table.ts';
import type { Telemetry } from './telemetry.ts';
import type { Closers } from './tenant-closer.ts';
import type { TenantLedger } from './tenants/tenant-ledger.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** What the instructions themselves need. */
export interface InstructionPorts extends Closers {
  readonly flows: FlowTable;
  readonly subscriptions: SubscriptionTable;
  readonly notifyPath: NotifyPath;
  readonly requestPath: RequestPath;
  readonly closeFlow: (flow: Flow, code: number, reason: string) => void;
  /** @param sender the gateway that says so; undefined for a function */
  readonly takeCallInstruction: (instruction: CallInstruction, sender: InstructionBatch['sender']) => void;
}

export type CallInstruction = Extract<Instruction, { kind: 'relay' | 'arrived' | 'flowsLost' | 'endCall' }>;

export interface IntakePorts extends InstructionPorts {
  readonly gatewayId: GatewayId;
  /** As they are now: instructions may be signed with any of them. */
  readonly secrets: () => readonly string[];
  readonly forwardPath: ForwardPath;
  readonly tenants: Pick<TenantLedger, 'useOf'>;
  readonly telemetry: Telemetry;
  readonly nowMs: () => number;
}

export function createInstructionServer(ports: IntakePorts): Server {
  return createServer((request, response) => {
    void intake(request, response, ports).catch((error: unknown) => {
      ports.telemetry.log.error({ hop: 'instruction', err: String(error) }, 'instructions failed');
      end(response, 500, { error: 'internal error' });
    });
  });
}

async function intake(request: IncomingMessage, response: ServerResponse, ports: IntakePorts): Promise<void> {
  if (request.method === 'GET' && request.url === '/metrics') {
    await answerMetrics(response, ports.telemetry.registry);
    return;
  }
  if (request.method !== 'POST' || request.url !== '/instructions') {
    end(response, 404, { error: 'POST /instructions and GET /metrics are all there is here' });
    return;
  }
  const { telemetry, secrets } = ports;
  const body = await readBody(request);
  const received = { signature: headerOf(request, SIGNATURE_HEADER), signedAt: headerOf(request, SIGNED_AT_HEADER) };
  if (body === undefined || !secrets().some((secret) => verifyInstructions(secret, received, body, ports.nowMs()))) {
    telemetry.counts.instructionsRefused++;
    telemetry.log.warn({ hop: 'instruction', address: request.socket.remoteAddress }, 'signature refused');
    end(response, body === undefined ? 413 : 401, { error: 'not signed with the instruction secret, or too long ago' });
    return;
  }
  const decoded = v.safeParse(instructionBatch, parseJson(body));
  if (!decoded.success) {
    telemetry.counts.instructionsRefused++;
    telemetry.log.error({ hop: 'instruction', problem: decoded.issues[0]?.message }, 'contract broken');
    end(response, 400, { error: `not an instruction batch: ${decoded.issues[0]?.message}` });
    return;
  }
  if (decoded.output.gatewayId !== ports.gatewayId) {
    end(response, 421, { error: 'another gateway was meant' });
    return;
  }
  telemetry.counts.instructionsReceived++;
  end(response, 200, await answerOf(decoded.output, ports));
}

/** Carries out a batch. Only one with forwards waits: it is told their answers. */
async function answerOf(
  { instructions, sender }: InstructionBatch,
  ports: IntakePorts,
): Promise<InstructionAnswerInput> {
  const forwards: Promise<ForwardResult>[] = [];
  const inspected: InspectedSubscription[] = [];
  const uses: LimitUse[][] = [];
  const connections: Connection[][] = [];
  const unknown = instructions.flatMap((instruction) => {
    if (instruction.kind === 'forward') forwards.push(ports.forwardPath.forward(instruction));
    else if (instruction.kind === 'inspect') return inspect(instruction.subscriptionIds, inspected, ports);
    else if (instruction.kind === 'use') uses.push(ports.tenants.useOf(instruction.tenant));
    else if (instruction.kind === 'connections') connections.push(connectionsOf(ports.flows, instruction));
    else return logged(instruction, carryOut(instruction, ports, sender), ports);
    return [];
  });
  return {
    unknown,
    ...(forwards.length > 0 && { forwarded: await Promise.all(forwards) }),
    ...(inspected.length > 0 && { inspected }),
    ...(uses.length > 0 && { uses }),
    ...(connections.length > 0 && { connections }),
  };
}

/** Of a state: whose it is, and the Call-ID of the request that made it, by which that is found in all logs. */
function logged(
  instruction: PromptInstruction,
  unknown: SubscriptionId[],
  { telemetry: { log }, nowMs }: IntakePorts,
): SubscriptionId[] {
  if (instruction.kind !== 'notify') return unknown;
  const { presentity, subscriptionIds, notification } = instruction;
  const { causedBy: callId, presentityVersion: version, changedAtMs } = notification;
  const lampMs = changedAtMs === undefined ? undefined : nowMs() - changedAtMs;
  const subscriptions = subscriptionIds.length;
  log.info({ hop: 'notify', presentity, callId, version, subscriptions, unknown: unknown.length, lampMs });
  return unknown;
}

/** @returns those that this gateway does not hold */
function inspect(
  ids: readonly SubscriptionId[],
  inspected: InspectedSubscription[],
  { subscriptions, notifyPath }: IntakePorts,
): SubscriptionId[] {
  return ids.filter((id) => {
    const subscription = subscriptions.get(id);
    if (subscription !== undefined) inspected.push(notifyPath.memory.inspect(subscription));
    return subscription === undefined;
  });
}

/** Has no answer of its own. */
export type PromptInstruction = Exclude<Instruction, { kind: 'forward' | 'inspect' | 'use' | 'connections' }>;

/** @returns subscriptions named by the instruction that this gateway does not hold */
export function carryOut(
  instruction: PromptInstruction,
  ports: InstructionPorts,
  sender?: InstructionBatch['sender'],
): SubscriptionId[] {
  switch (instruction.kind) {
    case 'notify': {
      // What a list withholds is told by the outcome that is awaited, too.
      const forPending = instruction.instance === undefined ? instruction : undefined;
      const { held, unknown } = lookUp(
        instruction.subscriptionIds,
        (id) => forPending !== undefined && keepState(id, forPending, ports),
        ports,
      );
      ports.notifyPath.takeState(held, instruction.notification, instruction);
      return unknown;
    }
    case 'end': {
      const keepEnd = (id: SubscriptionId) => ports.requestPath.keepEndForPending(id, instruction);
      const { held, unknown } = lookUp(instruction.subscriptionIds, keepEnd, ports);
      const document = instruction.notification === undefined ? undefined : documentOf(instruction.notification);
      for (const subscription of held) ports.notifyPath.terminate(subscription, instruction.reason, document);
      return unknown;
    }
    case 'close': {
      const flow = ports.flows.get(instruction.flowId);
      if (flow !== undefined) ports.closeFlow(flow, instruction.code, instruction.reason);
      return [];
    }
    case 'closeTenant':
      ports.closeTenant(instruction.domain);
      return [];
    case 'closeUser':
      ports.closeUser(instruction);
      return [];
    case 'signOut':
      ports.signOut(instruction);
      return [];
    case 'relay':
    case 'arrived':
    case 'flowsLost':
    case 'endCall':
      ports.takeCallInstruction(instruction, sender);
      return [];
    default:
      return instruction satisfies never;
  }
}

const keepState = (
  id: SubscriptionId,
  { notification, presentity }: NotifyInstruction,
  { requestPath }: InstructionPorts,
): boolean => requestPath.keepForPending(id, notification, presentity);

/** @param keep for a SUBSCRIBE that is still with its function; false when there is none */
function lookUp(
  ids: readonly SubscriptionId[],
  keep: (id: SubscriptionId) => boolean,
  ports: InstructionPorts,
): { held: Subscription[]; unknown: SubscriptionId[] } {
  const held: Subscription[] = [];
  const unknown: SubscriptionId[] = [];
  for (const id of ids) {
    const subscription = ports.subscriptions.get(id);
    if (subscription !== undefined) held.push(subscription);
    else if (!keep(id)) unknown.push(id);
  }
  return { held, unknown };
}

const headerOf = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
};

/** @returns the body; `undefined` when it is over the limit */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function end(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
