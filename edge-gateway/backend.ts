/** The functions behind the gateway: Lambda Invoke, requests that wait leave together. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as v from 'valibot';
import { type Outcome, outcomeBatch } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import { ContractError, DependencyUnavailable } from '#core/error.ts';
import type { Counts } from './telemetry.ts';

export interface BackendSettings {
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

interface Waiting {
  readonly sinceMs: number;
  readonly envelope: RequestEnvelope;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Requests to one function. A lone request goes out at once; those that arrive while `maxInFlight` invocations are
 * under way wait for the next one together.
 */
export class FunctionQueue {
  readonly #functionName: string;
  readonly #invoke: Invoke;
  readonly #settings: BackendSettings;
  readonly #counts: Counts;
  #waiting: Waiting[] = [];
  #inFlight = 0;

  constructor(functionName: string, invoke: Invoke, settings: BackendSettings, counts: Counts) {
    this.#functionName = functionName;
    this.#invoke = invoke;
    this.#settings = settings;
    this.#counts = counts;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** @throws {DependencyUnavailable} when the function is behind or does not answer; {ContractError} when it failed */
  submit(envelope: RequestEnvelope): Promise<Outcome> {
    if (this.#waiting.length >= this.#settings.maxWaiting)
      return Promise.reject(new DependencyUnavailable('too many requests wait', { retryAfterSeconds: 5 }));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ sinceMs: performance.now(), envelope, resolve, reject });
      this.#start();
    });
  }

  #start(): void {
    this.#refuseLate();
    if (this.#inFlight >= this.#settings.maxInFlight || this.#waiting.length === 0) return;
    const batch = this.#waiting.splice(0, this.#settings.maxBatch);
    this.#inFlight++;
    void this.#run(batch).finally(() => {
      this.#inFlight--;
      this.#start();
    });
  }

  /** Who has waited as long as a call may take is told to come again: silence would only make it repeat itself. */
  #refuseLate(): void {
    const latestMs = performance.now() - this.#settings.deadlineMs;
    const inTime = this.#waiting.findIndex(({ sinceMs }) => sinceMs > latestMs);
    const late = this.#waiting.splice(0, inTime < 0 ? this.#waiting.length : inTime);
    for (const { reject } of late) reject(new DependencyUnavailable('waited too long', { retryAfterSeconds: 5 }));
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    this.#counts.invocations++;
    try {
      const payload = { contractVersion: CONTRACT_VERSION, envelopes: batch.map((item) => item.envelope) };
      const { outcomes } = decodeOutcomes(await this.#invoke(this.#functionName, payload, this.#settings.deadlineMs));
      if (outcomes.length !== batch.length) throw new ContractError(`${this.#functionName}: wrong number of outcomes`);
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

function decodeOutcomes(result: unknown): v.InferOutput<typeof outcomeBatch> {
  const decoded = v.safeParse(outcomeBatch, result);
  if (decoded.success) return decoded.output;
  throw new ContractError(`outcome does not fit the contract: ${decoded.issues[0]?.message ?? ''}`);
}
