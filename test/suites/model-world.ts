/** Everything of one case of the model test: functions, table, stream, two gateways, and one clock. */
import { randomBytes } from 'node:crypto';
import type { FlowClosedReport } from '#contract/gateway-report.ts';
import type { GatewayId } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import { CONTRACT_VERSION, type Notification } from '#contract/schemas.ts';
import type { Delivery } from '#core/delivery.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { NO_RULES } from '#core/watch-policy.ts';
import { publish } from '#roles/compositor.ts';
import { fanOut } from '#roles/fan-out.ts';
import { closeFlows } from '#roles/flow-closer.ts';
import { subscribe } from '#roles/notifier.ts';
import { endReplaced } from '#roles/replacement-monitor.ts';
import { sweep } from '#roles/sweeper.ts';
import type { LeaseBook } from '#table/lease-book.ts';
import type { Table } from '#table/table.ts';
import { completeTenant } from '#table/tenant-item.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';
import { createRequestHandler } from '../../lambdas/handlers/request-handler.ts';
import { ModelGateway } from './model-gateway.ts';
import { StreamedTable } from './model-table.ts';
import { Traffic, turn } from './model-traffic.ts';

/** Ahead of any clock, so that DynamoDB Local keeps items; and early enough for CSeqs that a clock starts. */
const STARTED_AT_MS = Date.UTC(2040, 0, 1);
const telemetry = { log: () => undefined };
/** How the next batch fails: a delivery before it is carried out, or only its answer; or the table does not answer. */
export type Outage = 'before' | 'after' | 'table';
/** No request is with its function for longer, whoever waits for it. */
const DEADLINE_MS = 5_000;
/** With nothing on its way for so many turns of the event loop, what is still awaited never comes. */
const STUCK_AFTER_TURNS = 100;

export class World {
  nowMs = STARTED_AT_MS;
  readonly traffic: Traffic;
  readonly table: StreamedTable;
  readonly #gateways: ModelGateway[];
  readonly #invoke;
  #gatewaysMade = 0;
  /** Work that was started and not waited for. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** First record of the stream that no batch has settled. */
  #checkpoint = 0;
  #outage: Outage | undefined;
  readonly #failures: unknown[] = [];

  /**
   * @param order decides in which order things arrive
   * @param isEager every record of the stream is delivered at once, beside whatever happens
   */
  constructor(table: Table, order: number, isEager = false) {
    this.traffic = new Traffic(order);
    const onRecord = () => isEager && this.start(this.deliverRecords(0, 1, undefined));
    this.table = new StreamedTable(table, this.traffic, onRecord);
    this.#invoke = this.#functions();
    this.#gateways = [this.#newGateway(), this.#newGateway()];
  }

  #newGateway(): ModelGateway {
    return new ModelGateway(`gateway-${this.#gatewaysMade++}`, this.#invoke, () => this.nowMs);
  }

  gateway(place: number): ModelGateway {
    const gateway = this.#gateways[place];
    if (gateway === undefined) throw new Error(`no gateway ${place}`);
    return gateway;
  }

  /** A gateway dies, and another one starts in its place. */
  async kill(place: number): Promise<void> {
    await this.settle();
    this.gateway(place).die();
    this.#gateways[place] = this.#newGateway();
  }

  #functions() {
    const ports = {
      ...{ table: this.table, randomBytes, chance: () => 0, ...TEST_SECRETS },
      ...{ loadUser: async () => undefined, loadTenant: async (domain: string) => completeTenant(domain, {}) },
      ...{ findList: async () => undefined, findWatchRules: async () => NO_RULES },
    };
    const clock = () => this.nowMs;
    const marked = async (outcome: Promise<OutcomeInput>) => withVersion(await outcome);
    const handlers = new Map([
      ['PUBLISH', createRequestHandler('publish', (e, now) => publish(e, ports, now), telemetry, clock)],
      ['SUBSCRIBE', createRequestHandler('subscribe', (e, now) => marked(subscribe(e, ports, now)), telemetry, clock)],
    ]);
    return async (name: string, payload: unknown): Promise<unknown> => {
      await this.traffic.travel();
      const outcomes = await handlers.get(name)?.(payload);
      await this.traffic.travel();
      return outcomes;
    };
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
    for (let idle = 0; this.#underWay.size > 0; idle++) {
      if (!this.traffic.isIdle || this.table.underWay > 0) idle = 0;
      if (idle > STUCK_AFTER_TURNS) throw new Error('something that was started never ends');
      await turn();
    }
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** Waits until nothing is on its way any more. */
  async rest(): Promise<void> {
    for (let idle = 0; idle < STUCK_AFTER_TURNS; idle++) {
      if (!this.traffic.isIdle || this.table.underWay > 0) idle = 0;
      await turn();
    }
  }

  async pass(ms: number): Promise<void> {
    await this.settle();
    if (ms > DEADLINE_MS) await this.rest();
    this.nowMs += ms;
    for (const gateway of this.#gateways) gateway.advance();
  }

  /** One batch of the stream, from `back` records before the checkpoint on. */
  async deliverRecords(back: number, count: number, outage: Outage | undefined): Promise<void> {
    const from = Math.max(0, this.#checkpoint - back);
    const batch = this.table.records.slice(from, this.#checkpoint + count);
    if (batch.length === 0) return;
    this.#outage = outage;
    const ports = this.#fanOutPorts(outage === 'table');
    const failed = await fanOut(batch, ports, this.nowMs);
    failed.push(...(await endReplaced(batch, ports, this.nowMs)));
    if (failed.length > 0) this.#checkpoint = Math.min(this.#checkpoint, ...failed.map(Number));
    else if (from <= this.#checkpoint) this.#checkpoint = Math.max(this.#checkpoint, from + batch.length);
  }

  #fanOutPorts(isTableAway: boolean) {
    const lease = { grantedAtMs: this.nowMs, leaseEndsAtMs: this.nowMs + 60_000, flows: 0, subscriptions: 0 };
    const leases: LeaseBook = {
      find: async (gatewayId) =>
        this.#gateways.some(({ id }) => id === gatewayId)
          ? { ...lease, gatewayId, address: 'http://gw.invalid', draining: false }
          : undefined,
      drop: () => undefined,
    };
    const deliver = (id: GatewayId, _address: string, all: readonly Instruction[]) => this.#deliver(id, all);
    const query = () => Promise.reject(new DependencyUnavailable('the table is away'));
    const { get, getBatch, put, update, delete: remove, transact, writeBatch } = this.table;
    const away: Table = { get, getBatch, query, put, update, delete: remove, transact, writeBatch };
    const table = isTableAway ? away : this.table;
    return { table, telemetry, leases, gateways: { deliver } };
  }

  async #deliver(gatewayId: GatewayId, instructions: readonly Instruction[]): Promise<Delivery> {
    const outage = this.#outage;
    this.#outage = undefined;
    await this.traffic.travel();
    if (outage === 'before') return { kind: 'failed', reason: 'refused' };
    const gateway = this.#gateways.find(({ id }) => id === gatewayId);
    if (gateway === undefined) return { kind: 'gone', reason: 'unknown' };
    const delivery = await gateway.deliver(instructions.map(versioned));
    await this.traffic.travel();
    return outage === 'after' ? { kind: 'failed', reason: 'no answer' } : delivery;
  }

  sweep(): Promise<unknown> {
    return sweep({ table: this.table, telemetry, startWebhook: async () => undefined }, this.nowMs);
  }

  /** The gateways tell what they no longer hold. */
  async report(): Promise<void> {
    for (const { id, ended } of this.#gateways) {
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
