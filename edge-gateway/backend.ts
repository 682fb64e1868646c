/** The functions behind the gateway: Lambda Invoke, requests that wait leave together, tenants in turn. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as v from 'valibot';
import { type Outcome, outcomeBatch } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { CONTRACT_VERSION, type GatewayQuotas } from '#contract/schemas.ts';
import { ContractError, DependencyUnavailable } from '#core/error.ts';
import type { Counts } from './telemetry.ts';
import { FairQueue } from './tenants/fair-queue.ts';
import { senderOf } from './tenants/sender.ts';

export interface BackendSettings {
  /** Of one invocation; a request may have waited half as long before it. */
  readonly deadlineMs: number;
  readonly maxInFlight: number;
  readonly maxBatch: number;
  readonly maxWaiting: number;
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
const LATE_CHECK_MS = 100;
const RETRY_AFTER_SECONDS = 5;

/**
 * Requests to one function. A lone request goes out at once; those that arrive while `maxInFlight` invocations are
 * under way wait for the next one together, tenants in turn. Who has nothing under way goes first, without those who
 * have: a storm of one tenant delays the others by one invocation at most.
 */
export class FunctionQueue {
  readonly #functionName: string;
  readonly #invoke: Invoke;
  readonly #settings: BackendSettings;
  readonly #counts: Counts;
  readonly #takeQuotas: TakeQuotas | undefined;
  readonly #waiting: FairQueue<Waiting>;
  /** Requests under way, by sender. */
  readonly #underWay = new Map<string, number>();
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
      else if (this.#waiting.size === 0 && !this.#isScarce) this.#launch([item]);
      else if (this.#waiting.push(sender, item)) this.#start();
      else reject(new DependencyUnavailable('too many requests wait', { retryAfterSeconds: RETRY_AFTER_SECONDS }));
    });
  }

  get #longestWaitMs(): number {
    return this.#settings.deadlineMs * WAITING_SHARE;
  }

  #start(): void {
    this.#watchLate();
    const { maxInFlight, maxBatch } = this.#settings;
    if (this.#inFlight >= maxInFlight || this.#waiting.size === 0) return;
    let batch = this.#waiting.take(maxBatch, ({ name }) => !this.#underWay.has(name));
    if (batch.length === 0 && !this.#isScarce) batch = this.#waiting.take(maxBatch);
    if (batch.length > 0) this.#launch(batch);
  }

  /** What is left is for who has nothing under way. */
  get #isScarce(): boolean {
    const { maxInFlight } = this.#settings;
    return this.#inFlight >= maxInFlight - Math.floor(maxInFlight * RESERVED);
  }

  #launch(batch: readonly Waiting[]): void {
    this.#inFlight++;
    for (const { sender } of batch) this.#underWay.set(sender, (this.#underWay.get(sender) ?? 0) + 1);
    void this.#run(batch).finally(() => {
      this.#inFlight--;
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

  async #run(batch: readonly Waiting[]): Promise<void> {
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
    } catch (error) {
      this.#counts.invocationsFailed++;
      for (const item of batch) item.reject(error);
    }
  }
}

const waitedTooLong = (): DependencyUnavailable =>
  new DependencyUnavailable('waited too long', { retryAfterSeconds: RETRY_AFTER_SECONDS });

function decodeOutcomes(result: unknown): v.InferOutput<typeof outcomeBatch> {
  const decoded = v.safeParse(outcomeBatch, result);
  if (decoded.success) return decoded.output;
  throw new ContractError(`outcome does not fit the contract: ${decoded.issues[0]?.message ?? ''}`);
}
