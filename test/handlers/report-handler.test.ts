import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { ContractError } from '#core/error.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { createReportHandler } from '../../lambdas/handlers/report-handler.ts';

const schema = v.object({ gatewayId: v.string() });
const quiet = createTelemetry('silent');

describe('report handler', () => {
  it('gives the decoded report to its role and returns its result', async () => {
    const handler = createReportHandler(
      'test',
      schema,
      async ({ gatewayId }, nowMs) => ({ gatewayId, nowMs }),
      quiet,
      () => 7,
    );
    expect(await handler({ gatewayId: 'g1', later: 'field' })).toEqual({ gatewayId: 'g1', nowMs: 7 });
  });

  it('fails the invocation when the report cannot be read or the role fails, so that it is repeated', async () => {
    const lines: string[] = [];
    const telemetry = createTelemetry('error', (line) => lines.push(line));
    const handler = createReportHandler('test', schema, () => Promise.reject(new Error('down')), telemetry);
    await expect(handler({})).rejects.toThrow(ContractError);
    await expect(handler({ gatewayId: 'g1' })).rejects.toThrow('down');
    expect(lines.map((line) => JSON.parse(line).message)).toEqual([expect.stringContaining('gatewayId'), 'down']);
  });
});
