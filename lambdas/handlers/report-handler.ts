/** What every gateway-report function does: decode, give it to its role, log. A failure fails the invocation. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { type Clock, systemClock } from '#runtime/clock.ts';
import { errorFields, type LogFields, type Telemetry } from '#runtime/telemetry.ts';

/**
 * Makes the Lambda handler of a function that takes a gateway's report. Reports are safe to repeat: the gateway
 * does so after a failed invocation.
 * @throws {ContractError} from the handler, when the report cannot be read
 */
export function createReportHandler<Schema extends v.GenericSchema, Result extends object>(
  hop: string,
  schema: Schema,
  role: (report: v.InferOutput<Schema>, nowMs: number) => Promise<Result>,
  telemetry: Telemetry,
  clock: Clock = systemClock,
): (event: unknown) => Promise<Result> {
  return async (event) => {
    const startedMs = clock();
    const elapsed = (): LogFields => ({ durationMs: clock() - startedMs });
    try {
      const report = v.safeParse(schema, event);
      if (!report.success) throw new ContractError(`Report: ${v.summarize(report.issues)}`);
      const result = await role(report.output, startedMs);
      telemetry.log('debug', hop, { outcome: 'done', ...result, ...elapsed() });
      return result;
    } catch (error) {
      telemetry.log('error', hop, { outcome: 'failed', ...elapsed(), ...errorFields(error) });
      throw error;
    }
  };
}
