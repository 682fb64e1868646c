/** Lambda entry of a gateway's report on how its calls stand. */
import { type CallSnapshot, callReport } from '#contract/call.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { createReportHandler } from './report-handler.ts';
import { createTenantCheck } from './request-ports.ts';

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
const isServed = createTenantCheck(table);
const telemetry = createTelemetry(environment.logLevel);

export const handler = createReportHandler(
  'call-report',
  callReport,
  async (report, nowMs) => reportCalls({ snapshots: await ofServed(report.snapshots) }, { table, telemetry }, nowMs),
  telemetry,
);

/** The end of a call of a tenant that is being removed must not write its parties' state anew. */
async function ofServed(snapshots: readonly CallSnapshot[]): Promise<readonly CallSnapshot[]> {
  const served = await Promise.all(snapshots.map(({ domain }) => isServed(domain)));
  return snapshots.filter((_, index) => served[index]);
}
