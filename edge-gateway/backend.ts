/** The functions behind the gateway: Lambda Invoke, requests that wait leave together, tenants in turn. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as v from 'valibot';
import { type Outcome, outcomeBatch } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { CONTRACT_VERSION, type GatewayQuotas } from '#contract/schemas.ts';
import { ContractError, DependencyUnavailable } from '#core/error.ts';
import type { Counts } from './telemetry.ts';
import { FairQueue } from './tenants/fair-queue.ts';
import { Pace } from './tenants/pace.ts';
import { senderOf } from './tenants/sender.ts';

export interface BackendSettings {
  /** Of one invocation; a request may have waited half as long before it. */
  readonly deadlineMs: number;
  readonly maxInFlight: number;
  readonly maxBatch: number;
  readonly maxWaiting: number;
  /** The function waits for answers of clients: how long it takes says nothing of how much it has to do. */
  readonly awaitsPeers?: boolean;
}

/** Invokes one function with one JSON payload and gives its JSON result. */
export type Invoke = (functionName: string, payload: unknown, deadlineMs: number) => Promise<unknown>;

/** @throws {DependencyUnavailable} on throttling, time-out or no connection; {ContractError} when the function failed */
export function createInvoke(endpoint: string | undefined): Invoke {
  const client = new LambdaClient({ ...(endpoint === undefined ? {} : { endpoint }), maxAttempts: 1 });
  return async (functionName, payload, deadlineMs) => {
    const result = await client
      .send(new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(payload)) }), {
        abortSignal: AbortSignal.timeout(deadlineMs),
      })
      .catch((cause: unknown) => {
        throw new DependencyUnavailable(`${functionName} does not answer: ${String(cause)}`, { cause });
      });
    const text = result.Payload?.transformToString() ?? '';
    if (result.FunctionError !== undefined)
      throw new ContractError(`${functionName} failed (${result.FunctionError}): ${text.slice(0, 500)}`);
    return JSON.parse(text);
  };
}

/** Told what tenants may use, as often as a function says so. */
export type TakeQuotas = (domain: string, quotas: GatewayQuotas) => void;

interface Waiting {
  /** When the request arrived. */
  readonly sinceMs: number;
  /** Name of its sender. */
  readonly sender: string;
  readonly envelope: RequestEnvelope;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Of the invocations, those that are kept for senders who have none under way. */
const RESERVED = 0.25;
/** Of the deadline of a call, what a request may wait before it. */
const WAITING_SHARE = 0.5;
/** Of what may be under way, the least that is worth an invocation while more waits. */
const LEAST_PART = 0.25;
const LATE_CHECK_MS = 100;
const RETRY_AFTER_SECONDS = 5;

/**
 * Requests to one function. A lone request goes out at once; those that arrive while as much is under way as the function
 * takes without growing slow, or `maxInFlight` invocations, wait for the next one together, tenants in turn. Who has
 * nothing under way goes first, without those who have: a storm of one tenant delays the others by
 * one invocation at most.
 */
export class FunctionQueue {
  readonly #functionName: string;
  readonly #invoke: Invoke;
  readonly #settings: BackendSettings;
  readonly #counts: Counts;
  readonly #takeQuotas: TakeQuotas | undefined;
  readonly #waiting: FairQueue<Waiting>;
  readonly #pace: Pace | undefined;
  /** Requests under way, by sender, and all of them. */
  readonly #underWay = new Map<string, number>();
  #allUnderWay = 0;
  #inFlight = 0;
  #lateCheck: NodeJS.Timeout | undefined;

  constructor(
    functionName: string,
    invoke: Invoke,
    settings: BackendSettings,
    counts: Counts,
    takeQuotas?: TakeQuotas,
  ) {
    this.#functionName = functionName;
    this.#invoke = invoke;
    this.#settings = settings;
    this.#counts = counts;
    this.#takeQuotas = takeQuotas;
    this.#waiting = new FairQueue(settings.maxWaiting);
    const { maxInFlight, maxBatch, awaitsPeers = false } = settings;
    this.#pace = awaitsPeers ? undefined : new Pace(maxInFlight * maxBatch);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * @param waitedMs for how long the request has been here already: its patience began with its arrival
   * @throws {DependencyUnavailable} when the function is behind or does not answer; {ContractError} when it failed
   */
  submit(envelope: RequestEnvelope, waitedMs = 0): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const sender = senderOf(envelope);
      const item = { sinceMs: performance.now() - waitedMs, sender: sender.name, envelope, resolve, reject };
      if (waitedMs >= this.#longestWaitMs) reject(waitedTooLong());
      // Mostly nobody waits: there are no turns to take.
      else if (this.#waiting.size === 0 && this.#room > 0) this.#launch([item]);
      else if (this.#waiting.push(sender, item)) this.#start();
      else reject(new DependencyUnavailable('too many requests wait', { retryAfterSeconds: RETRY_AFTER_SECONDS }));
    });
  }

  get #longestWaitMs(): number {
    return this.#settings.deadlineMs * WAITING_SHARE;
  }

  #start(): void {
    this.#watchLate();
    for (let batch = this.#nextBatch(); batch.length > 0; batch = this.#nextBatch()) this.#launch(batch);
  }

  #nextBatch(): Waiting[] {
    const { maxInFlight, maxBatch } = this.#settings;
    if (this.#waiting.size === 0 || this.#inFlight >= maxInFlight) return [];
    const newcomers = this.#takeNewcomers(maxBatch);
    if (newcomers.length > 0) return newcomers;
    // While it is full, a place that gets free waits for others: few larger invocations cost less than many small ones.
    const worthwhile = Math.min(this.#waiting.size, Math.ceil((this.#pace?.limit ?? 1) * LEAST_PART));
    return this.#room < worthwhile ? [] : this.#waiting.take(Math.min(maxBatch, this.#room));
  }

  /** One of each sender that has nothing under way, and more of theirs while there is room. */
  #takeNewcomers(most: number): Waiting[] {
    const served = new Set<string>();
    const isNew = (name: string): boolean => !this.#underWay.has(name);
    const first = this.#waiting.take(most, ({ name }) => {
      const mayServe = isNew(name) && !served.has(name);
      served.add(name);
      return mayServe;
    });
    if (first.length === 0) return first;
    const room = Math.min(most, this.#room) - first.length;
    return [...first, ...this.#waiting.take(room, ({ name }) => isNew(name))];
  }

  /** How many more requests may be under way, of those who have some already. */
  get #room(): number {
    if (this.#isScarce) return 0;
    return this.#pace === undefined ? this.#settings.maxBatch : this.#pace.limit - this.#allUnderWay;
  }

  /** What is left is for who has nothing under way. */
  get #isScarce(): boolean {
    const { maxInFlight } = this.#settings;
    return this.#inFlight >= maxInFlight - Math.floor(maxInFlight * RESERVED);
  }

  #launch(batch: readonly Waiting[]): void {
    const startedMs = performance.now();
    this.#inFlight++;
    this.#allUnderWay += batch.length;
    for (const { sender } of batch) this.#underWay.set(sender, (this.#underWay.get(sender) ?? 0) + 1);
    void this.#run(batch).then((kind) => {
      const nowMs = performance.now();
      const durationMs = kind === 'failure' ? this.#settings.deadlineMs : nowMs - startedMs;
      if (kind !== 'challenges') this.#pace?.landed(durationMs, this.#allUnderWay, nowMs);
      this.#inFlight--;
      this.#allUnderWay -= batch.length;
      for (const { sender } of batch) this.#landed(sender);
      this.#start();
    });
  }

  #landed(sender: string): void {
    const left = (this.#underWay.get(sender) ?? 1) - 1;
    if (left > 0) this.#underWay.set(sender, left);
    else this.#underWay.delete(sender);
  }

  /** By the clock, for as long as somebody waits: it may be long until an invocation comes back. */
  #watchLate(): void {
    if (this.#lateCheck !== undefined || this.#waiting.size === 0) return;
    this.#lateCheck = setTimeout(() => {
      this.#lateCheck = undefined;
      this.#refuseLate();
      this.#watchLate();
    }, LATE_CHECK_MS).unref();
  }

  /** Who has waited too long is told to come again: silence would only make it repeat itself. */
  #refuseLate(): void {
    const latestMs = performance.now() - this.#longestWaitMs;
    for (const { reject } of this.#waiting.drop(({ sinceMs }) => sinceMs <= latestMs)) reject(waitedTooLong());
  }

  /**
   * @returns what it says about the function's pace: nothing, when all were challenged, for that asks nothing of the table;
   * a failure is as slow as can be, however soon it came
   */
  async #run(batch: readonly Waiting[]): Promise<'work' | 'challenges' | 'failure'> {
    this.#counts.invocations++;
    try {
      const payload = { contractVersion: CONTRACT_VERSION, envelopes: batch.map((item) => item.envelope) };
      const { outcomes, quotas } = decodeOutcomes(
        await this.#invoke(this.#functionName, payload, this.#settings.deadlineMs),
      );
      if (outcomes.length !== batch.length) throw new ContractError(`${this.#functionName}: wrong number of outcomes`);
      for (const [domain, given] of Object.entries(quotas ?? {})) this.#takeQuotas?.(domain, given);
      batch.forEach((item, index) => {
        const outcome = outcomes[index];
        if (outcome) item.resolve(outcome);
      });
      return outcomes.every(({ response }) => isChallenge(response.status)) ? 'challenges' : 'work';
    } catch (error) {
      this.#counts.invocationsFailed++;
      for (const item of batch) item.reject(error);
      return 'failure';
    }
  }
}

const isChallenge = (status: number): boolean => status === 401 || status === 407;

const waitedTooLong = (): DependencyUnavailable =>
  new DependencyUnavailable('waited too long', { retryAfterSeconds: RETRY_AFTER_SECONDS });

function decodeOutcomes(result: unknown): v.InferOutput<typeof outcomeBatch> {
  const decoded = v.safeParse(outcomeBatch, result);
  if (decoded.success) return decoded.output;
  throw new ContractError(`outcome does not fit the contract: ${decoded.issues[0]?.message ?? ''}`);
}
