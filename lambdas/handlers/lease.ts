/** Lambda entry of a gateway's report that renews its lease. */
import { leaseReport } from '#contract/gateway-report.ts';
import { grantLease } from '#roles/lessor.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { createReportHandler } from './report-handler.ts';

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });

export const handler = createReportHandler(
  'lease',
  leaseReport,
  (report, nowMs) => grantLease(report, { table, region: environment.region }, nowMs),
  createTelemetry(environment.logLevel),
);
