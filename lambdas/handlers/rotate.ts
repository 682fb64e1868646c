/** Lambda entry of the rotation of secrets: Secrets Manager invokes it once a step. */
import { systemClock } from '#runtime/clock.ts';
import { rotateSecret } from '#runtime/secret-rotation.ts';
import { createTelemetry, errorFields } from '#runtime/telemetry.ts';

const telemetry = createTelemetry('info');

/** Throws what went wrong: Secrets Manager tries the step again. */
export async function handler(event: unknown): Promise<void> {
  const startedMs = systemClock();
  try {
    await rotateSecret(event);
  } catch (error) {
    telemetry.log('error', 'rotate', { ...errorFields(error), durationMs: systemClock() - startedMs });
    throw error;
  }
  telemetry.log('info', 'rotate', { durationMs: systemClock() - startedMs });
}
