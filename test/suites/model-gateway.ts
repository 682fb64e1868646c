/** A gateway of the model test: the product's own parts, with sockets that write into memory and a clock that is set. */
import { Duplex, Readable } from 'node:stream';
import { pino } from 'pino';
import { Histogram, Registry } from 'prom-client';
import * as v from 'valibot';
import type { WebSocket } from 'ws';
import { gatewayIdOf } from '#contract/ids.ts';
import { type Instruction, instructionAnswer, SIGNATURE_HEADER, SIGNED_AT_HEADER } from '#contract/instruction.ts';
import { CONTRACT_VERSION, type Identity } from '#contract/schemas.ts';
import type { Delivery } from '#core/delivery.ts';
import { signInstructions } from '#core/instruction-signature.ts';
import { FunctionQueue, type Invoke } from '#gateway/backend.ts';
import { Flow, FlowTable } from '#gateway/flow-table.ts';
import { ForwardPath } from '#gateway/forward-path.ts';
import { carryOut, createInstructionServer } from '#gateway/instruction-intake.ts';
import { NotifyPath } from '#gateway/notify-path.ts';
import { Outbox } from '#gateway/outbox.ts';
import { carryOutOfOutcome, type OutcomeInstructionsPorts } from '#gateway/outcome-instructions.ts';
import { type EndedSubscription, endedSubscription } from '#gateway/report-queue.ts';
import { RequestPath } from '#gateway/request-path.ts';
import { SubscriptionTable } from '#gateway/subscription-table.ts';
import { COUNTERS, type Counts, type Telemetry } from '#gateway/telemetry.ts';
import { TenantLedger } from '#gateway/tenants/tenant-ledger.ts';
import { type ReceivedMessage, readMessage } from '#test/support/sip-client.ts';

const SECRET = 'instruction-s3cret';
export const PARKING_MS = 300_000;

const counts = Object.fromEntries(Object.keys(COUNTERS).map((name) => [name, 0])) as Counts;
const registry = new Registry();
const requestSeconds = new Histogram({ name: 's', help: 's', labelNames: ['method'], registers: [registry] });
const lampLatency = { observe: () => {}, take: () => [] };
const telemetry: Telemetry = { log: pino({ level: 'silent' }), counts, requestSeconds, lampLatency, registry };

/** Gives each SIP message that the gateway writes to a flow. */
class ListeningStream extends Duplex {
  readonly #hear: (message: ReceivedMessage) => void;
  constructor(hear: (message: ReceivedMessage) => void) {
    super();
    this.#hear = hear;
  }

  override _read(): void {}

  override write(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.length) {
      const short = chunk.readUInt8(at + 1);
      const [size, head] = short < 126 ? [short, 2] : [chunk.readUInt16BE(at + 2), 4];
      this.#hear(readMessage(chunk.toString('utf8', at + head, at + head + size)));
      at += head + size;
    }
    return true;
  }
}

export class ModelGateway {
  readonly id;
  readonly #nowMs: () => number;
  /** What it no longer holds and has not told the functions yet. */
  readonly ended: EndedSubscription[] = [];
  /** Of these, and of earlier ones: those that a NOTIFY has ended. */
  readonly failed = new Set<string>();
  readonly #flows = new FlowTable();
  readonly #outbox = new Outbox();
  readonly #notifyPath;
  readonly #requestPath;
  readonly #server;

  constructor(name: string, invoke: Invoke, nowMs: () => number) {
    this.id = gatewayIdOf(name);
    this.#nowMs = nowMs;
    const { log } = telemetry;
    const [outbox, subscriptions] = [this.#outbox, new SubscriptionTable()];
    const notifyPath = new NotifyPath(
      { holdBackBytes: 1_000_000, parkingMs: PARKING_MS, maxParked: 100, listWindowMs: 100 },
      {
        ...{ subscriptions, outbox, counts, log, nowMs, lampLatency },
        reportEnded: (subscription, hasFailed) => {
          this.ended.push(endedSubscription(subscription));
          if (hasFailed) this.failed.add(subscription.id);
        },
      },
    );
    const settings = { deadlineMs: 60_000, maxInFlight: 64, maxBatch: 4, maxWaiting: 1_000 };
    const functions = new Map(
      ['PUBLISH', 'SUBSCRIBE'].map((method) => [method, new FunctionQueue(method, invoke, settings, counts)]),
    );
    const tenants = new TenantLedger({ log, counts, nowMs, chance: () => 0 });
    const isDraining = () => false;
    // Flows prove themselves when they are opened here, for good.
    const identities = { prove: () => undefined };
    const forwardPath = new ForwardPath({ gatewayHost: 'gw.invalid', flows: this.#flows, outbox, counts, log });
    const requestPath: RequestPath = new RequestPath(
      { gatewayId: this.id, gatewayHost: 'gw.invalid', maxRequestsPerSecond: 10_000, maxSubscriptionsPerFlow: 100 },
      {
        ...{
          functions,
          subscriptions,
          notifyPath,
          forwardPath,
          outbox,
          tenants,
          telemetry,
          nowMs,
          isDraining,
          identities,
        },
        isEnding: (subscription) => this.failed.has(subscription) && this.ended.some(({ id }) => id === subscription),
        carryOut: (instructions, flow) => carryOutOfOutcome(instructions, flow, outcomePorts),
      },
    );
    const nothing = () => undefined;
    const [closeFlow, closeTenant, closeUser, signOut] = [nothing, nothing, nothing, nothing];
    const takeCallInstruction = () => undefined;
    const instructionPorts = {
      ...{
        flows: this.#flows,
        subscriptions,
        notifyPath,
        requestPath,
        closeFlow,
        closeTenant,
        closeUser,
        signOut,
        takeCallInstruction,
      },
    };
    const outcomePorts: OutcomeInstructionsPorts = {
      ...{ forwardPath, reports: { messageDelivered: () => undefined } },
      carryOut: (instruction) => void carryOut(instruction, instructionPorts),
    };
    this.#notifyPath = notifyPath;
    this.#requestPath = requestPath;
    this.#server = createInstructionServer({
      ...{ ...instructionPorts, gatewayId: this.id, secrets: () => [SECRET], forwardPath, tenants, telemetry, nowMs },
    });
  }

  /** A new flow that has proven who it is. */
  open(identity: Identity, hear: (message: ReceivedMessage) => void): Flow {
    const flow = new Flow({} as WebSocket, new ListeningStream(hear), 'WS', '127.0.0.1', 1, this.#nowMs());
    flow.identity = identity;
    this.#flows.add(flow);
    return flow;
  }

  receive(flow: Flow, message: string | Buffer, isBinary = false): void {
    this.#requestPath.receive(flow, typeof message === 'string' ? Buffer.from(message) : message, isBinary);
    this.#outbox.flush();
  }

  lose(flow: Flow): void {
    if (flow.closed) return;
    this.#outbox.flush();
    flow.closed = true;
    this.#flows.remove(flow);
    this.#notifyPath.park(flow);
  }

  /** The process is gone, with all that it knew. */
  die(): void {
    for (const flow of this.#flows.values()) flow.closed = true;
  }

  advance(): void {
    this.#notifyPath.advance(this.#nowMs());
    this.#outbox.flush();
  }

  /** What a POST of the functions does. */
  async deliver(instructions: readonly Instruction[]): Promise<Delivery> {
    const body = JSON.stringify({ contractVersion: CONTRACT_VERSION, gatewayId: this.id, instructions });
    const signedAt = this.#nowMs();
    const headers = {
      [SIGNATURE_HEADER]: signInstructions(SECRET, signedAt, body),
      [SIGNED_AT_HEADER]: String(signedAt),
    };
    const request = Object.assign(Readable.from([Buffer.from(body)]), {
      ...{ method: 'POST', url: '/instructions', headers },
    });
    const { promise, resolve } = Promise.withResolvers<string>();
    const response = { headersSent: false, writeHead: () => response, end: resolve };
    this.#server.emit('request', request, response);
    const { unknown, inspected } = v.parse(instructionAnswer, JSON.parse(await promise));
    this.#outbox.flush();
    return { kind: 'delivered', unknown, inspected };
  }
}
