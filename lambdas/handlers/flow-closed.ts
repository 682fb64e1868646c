/** Lambda entry of a gateway's report on closed flows and ended subscriptions. */
import { flowClosedReport } from '#contract/gateway-report.ts';
import { closeFlows } from '#roles/flow-closer.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { createReportHandler } from './report-handler.ts';

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });

export const handler = createReportHandler(
  'flow-closed',
  flowClosedReport,
  (report, nowMs) => closeFlows(report, table, nowMs),
  createTelemetry(environment.logLevel),
);
