/** Everything of the model test in one process: functions, table, stream, two gateways, and one clock. */
import { randomBytes } from 'node:crypto';
import type { FlowClosedReport } from '#contract/gateway-report.ts';
import type { GatewayId } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import { CONTRACT_VERSION, type Notification } from '#contract/schemas.ts';
import type { Delivery } from '#core/delivery.ts';
import { publish } from '#roles/compositor.ts';
import { fanOut } from '#roles/fan-out.ts';
import { closeFlows } from '#roles/flow-closer.ts';
import { subscribe } from '#roles/notifier.ts';
import { sweep } from '#roles/sweeper.ts';
import type { LeaseBook } from '#table/lease-book.ts';
import type { Table } from '#table/table.ts';
import { createRequestHandler } from '../../lambdas/handlers/request-handler.ts';
import { ModelGateway } from './model-gateway.ts';
import { StreamedTable } from './model-table.ts';

/** Ahead of any clock, so that DynamoDB Local keeps items; and early enough for CSeqs that a clock starts. */
const STARTED_AT_MS = Date.UTC(2040, 0, 1);
const telemetry = { log: () => undefined };
/** How the next delivery to a gateway fails: before it is carried out, or only its answer is lost. */
export type Outage = 'before' | 'after';

export class World {
  nowMs = STARTED_AT_MS;
  readonly table: StreamedTable;
  readonly gateways: readonly ModelGateway[];
  /** Work that was started and not waited for. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** First record of the stream that no batch has settled. */
  #checkpoint = 0;
  #outage: Outage | undefined;
  readonly #failures: unknown[] = [];

  constructor(table: Table) {
    this.table = new StreamedTable(table);
    const invoke = this.#functions();
    this.gateways = ['gateway-0', 'gateway-1'].map((name) => new ModelGateway(name, invoke, () => this.nowMs));
  }

  gateway(index: number): ModelGateway {
    const gateway = this.gateways[index];
    if (gateway === undefined) throw new Error(`no gateway ${index}`);
    return gateway;
  }

  #functions() {
    const ports = {
      ...{ table: this.table, randomBytes, chance: () => 0, nonceSecret: async () => 's3cret' },
      ...{ loadUser: async () => undefined, loadTenant: async () => undefined, findList: async () => undefined },
    };
    const clock = () => this.nowMs;
    const marked = async (outcome: Promise<OutcomeInput>) => withVersion(await outcome);
    const handlers = new Map([
      ['PUBLISH', createRequestHandler('publish', (e, now) => publish(e, ports, now), telemetry, clock)],
      ['SUBSCRIBE', createRequestHandler('subscribe', (e, now) => marked(subscribe(e, ports, now)), telemetry, clock)],
    ]);
    return async (name: string, payload: unknown): Promise<unknown> => handlers.get(name)?.(payload);
  }

  /** Starts work; it is waited for before time moves. */
  start(work: Promise<unknown>): void {
    const watched: Promise<unknown> = work
      .catch((error: unknown) => this.#failures.push(error))
      .finally(() => this.#underWay.delete(watched));
    this.#underWay.add(watched);
  }

  /** Waits for all that was started. @throws what any of it threw */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  async pass(ms: number): Promise<void> {
    await this.settle();
    this.nowMs += ms;
    for (const gateway of this.gateways) gateway.advance();
  }

  /** One batch of the stream, from `back` records before the checkpoint on. */
  async deliverRecords(back: number, count: number, outage: Outage | undefined): Promise<void> {
    const from = Math.max(0, this.#checkpoint - back);
    const batch = this.table.records.slice(from, this.#checkpoint + count);
    if (batch.length === 0) return;
    this.#outage = outage;
    const failed = await fanOut(batch, this.#fanOutPorts(), this.nowMs);
    if (failed.length > 0) this.#checkpoint = Math.min(this.#checkpoint, ...failed.map(Number));
    else if (from <= this.#checkpoint) this.#checkpoint = Math.max(this.#checkpoint, from + batch.length);
  }

  #fanOutPorts() {
    const lease = { grantedAtMs: this.nowMs, leaseEndsAtMs: this.nowMs + 60_000, flows: 0, subscriptions: 0 };
    const leases: LeaseBook = {
      find: async (gatewayId) => ({ ...lease, gatewayId, address: 'http://gw.invalid', draining: false }),
      drop: () => undefined,
    };
    const deliver = (id: GatewayId, _address: string, all: readonly Instruction[]) => this.#deliver(id, all);
    return { table: this.table, telemetry, leases, gateways: { deliver } };
  }

  async #deliver(gatewayId: GatewayId, instructions: readonly Instruction[]): Promise<Delivery> {
    const outage = this.#outage;
    this.#outage = undefined;
    if (outage === 'before') return { kind: 'failed', reason: 'refused' };
    const gateway = this.gateways.find(({ id }) => id === gatewayId);
    if (gateway === undefined) return { kind: 'gone', reason: 'unknown' };
    const delivery = await gateway.deliver(instructions.map(versioned));
    return outage === 'after' ? { kind: 'failed', reason: 'no answer' } : delivery;
  }

  sweep(): Promise<unknown> {
    return sweep({ table: this.table, telemetry }, this.nowMs);
  }

  /** The gateways tell what they no longer hold. */
  async report(): Promise<void> {
    for (const { id, ended } of this.gateways) {
      const subscriptions = ended.splice(0);
      if (subscriptions.length === 0) continue;
      const report = {
        contractVersion: CONTRACT_VERSION,
        gatewayId: id,
        flows: [],
        subscriptions,
      } satisfies FlowClosedReport;
      await closeFlows(report, this.table, this.nowMs);
    }
  }

  /** Everything that is still on its way arrives. */
  async drain(): Promise<void> {
    await this.settle();
    await this.report();
    await this.sweep();
    while (this.#checkpoint < this.table.records.length) await this.deliverRecords(0, 1_000, undefined);
  }
}

/** Writes the version of the presentity into its documents, so that one can see on the wire which state they show. */
const marked = (notification: Notification): Notification => {
  const [before, after = ''] = notification.body;
  return { ...notification, body: [before, `${after}<!--state ${notification.presentityVersion}-->`] };
};

function withVersion(outcome: OutcomeInput): OutcomeInput {
  const { subscription } = outcome;
  if (subscription === undefined) return outcome;
  const notification = marked(subscription.notification);
  const body: [string, string] = [notification.body[0], notification.body[1] ?? ''];
  return { ...outcome, subscription: { ...subscription, notification: { ...notification, body } } };
}

function versioned(instruction: Instruction): Instruction {
  if (instruction.kind !== 'notify') return instruction;
  const { presentityVersion, contentType, body } = marked(instruction.notification);
  return { ...instruction, notification: { presentityVersion, contentType, body: [body[0], body[1] ?? ''] } };
}
