/** What every request function does: decode a batch, give each envelope to its role, encode the outcomes. */
import * as v from 'valibot';
import type { OutcomeInput } from '#contract/outcome.ts';
import { type RequestEnvelope, requestBatch, requestEnvelope } from '#contract/request-envelope.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import { ContractError, DependencyUnavailable, SipRejection } from '#core/error.ts';
import { responseOf } from '#core/rejection.ts';
import { type Clock, systemClock } from '#runtime/clock.ts';
import { errorFields, type LogFields, type LogLevel, requestFields, type Telemetry } from '#runtime/telemetry.ts';

/** Decides one request. Throws one of the four errors of core/error to refuse it. */
export type RequestRole = (envelope: RequestEnvelope, nowMs: number) => Promise<OutcomeInput>;

export interface EncodedOutcomes {
  readonly contractVersion: typeof CONTRACT_VERSION;
  readonly outcomes: readonly OutcomeInput[];
}

/**
 * Makes the Lambda handler of a request function. Envelopes are independent: one that fails is answered
 * (rejection, 503, 500) without touching the others. Those of one Call-ID run in their order, the rest together.
 * @param hop name in the log lines
 * @throws {ContractError} from the handler, when not even the batch can be read
 */
export function createRequestHandler(
  hop: string,
  role: RequestRole,
  telemetry: Telemetry,
  clock: Clock = systemClock,
): (event: unknown) => Promise<EncodedOutcomes> {
  return async (event) => {
    const batch = v.safeParse(requestBatch, event);
    if (!batch.success) throw new ContractError(`Batch: ${v.summarize(batch.issues)}`);
    const inOrder = new Map<unknown, Promise<unknown>>();
    const outcomes = batch.output.envelopes.map((input) => {
      const decoded = v.safeParse(requestEnvelope, input);
      if (!decoded.success) return answer({}, () => Promise.reject(contractError(decoded.issues)));
      const envelope = decoded.output;
      const fields = requestFields(envelope);
      const before = inOrder.get(fields.callId) ?? Promise.resolve();
      const outcome = before.then(() => answer(fields, (nowMs) => role(envelope, nowMs)));
      inOrder.set(fields.callId, outcome);
      return outcome;
    });
    return { contractVersion: CONTRACT_VERSION, outcomes: await Promise.all(outcomes) };
  };

  /** Never throws: an error becomes its answer. */
  async function answer(fields: LogFields, decide: (nowMs: number) => Promise<OutcomeInput>): Promise<OutcomeInput> {
    const startedMs = clock();
    try {
      const outcome = await decide(startedMs);
      const tenant = outcome.identity?.domain ?? fields.tenant;
      const durationMs = clock() - startedMs;
      telemetry.log('info', hop, { ...fields, tenant, outcome: outcome.response.status, durationMs });
      return outcome;
    } catch (error) {
      const { outcome, level } = refusalOf(error);
      const cause = level === 'info' ? {} : errorFields(error);
      const durationMs = clock() - startedMs;
      telemetry.log(level, hop, { ...fields, outcome: outcome.response.status, durationMs, ...cause });
      return outcome;
    }
  }
}

/** The answer for what a role threw, and how loudly to log it. */
export function refusalOf(error: unknown): { readonly outcome: OutcomeInput; readonly level: LogLevel } {
  if (error instanceof SipRejection) return { outcome: { response: responseOf(error) }, level: 'info' };
  if (error instanceof DependencyUnavailable) {
    const retryAfter: [string, string] = ['Retry-After', String(error.retryAfterSeconds)];
    return {
      outcome: { response: { status: 503, reason: 'Service Unavailable', headers: [retryAfter] } },
      level: 'warn',
    };
  }
  return { outcome: { response: { status: 500, reason: 'Server Internal Error', headers: [] } }, level: 'error' };
}

const contractError = (issues: [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): ContractError =>
  new ContractError(`Envelope: ${v.summarize(issues)}`);
