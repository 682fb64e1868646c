/** Lambda entry of a gateway's report on how its calls stand. */
import { callReport } from '#contract/call.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { createReportHandler } from './report-handler.ts';

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
const telemetry = createTelemetry(environment.logLevel);

export const handler = createReportHandler(
  'call-report',
  callReport,
  (report, nowMs) => reportCalls(report, { table, telemetry }, nowMs),
  telemetry,
);
