/**
 * AWS list prices in US dollars without free tiers and discounts, entered by hand from AWS's public price pages: check them
 * before a decision (`--prices FILE` overrules any of them).
 */

export const PRICES_AS_OF = '2026-11-21';
export const HOURS_A_MONTH = 730;

export interface Prices {
  /** A million request units on demand. */
  readonly writeUnitsMillion: number;
  readonly readUnitsMillion: number;
  /** An hour of one unit of provisioned capacity. */
  readonly writeCapacityHour: number;
  readonly readCapacityHour: number;
  readonly tableGb: number;
  /** Point-in-time recovery. */
  readonly tableBackupGb: number;
  readonly streamReadsMillion: number;
  readonly lambdaRequestsMillion: number;
  /** GB-second on arm64. */
  readonly lambdaGbSecond: number;
  /** Fargate on arm64. */
  readonly vcpuHour: number;
  readonly taskGbHour: number;
  readonly loadBalancerHour: number;
  readonly loadBalancerUnitHour: number;
  readonly publicAddressHour: number;
  readonly endpointHour: number;
  readonly endpointGb: number;
  /** Out to the internet. */
  readonly dataOutGb: number;
  readonly logIngestGb: number;
  readonly logStorageGb: number;
  readonly customMetric: number;
  readonly alarm: number;
  readonly dashboard: number;
  readonly tracesMillion: number;
  readonly secret: number;
  readonly key: number;
  readonly webAcl: number;
  readonly webAclRule: number;
  readonly pipeRequestsMillion: number;
  readonly busEventsMillion: number;
}

const US_EAST_1: Prices = {
  ...{ writeUnitsMillion: 0.625, readUnitsMillion: 0.125, writeCapacityHour: 0.00065, readCapacityHour: 0.00013 },
  ...{ tableGb: 0.25, tableBackupGb: 0.2, streamReadsMillion: 0.2 },
  ...{ lambdaRequestsMillion: 0.2, lambdaGbSecond: 0.0000133334 },
  ...{ vcpuHour: 0.03238, taskGbHour: 0.00356 },
  ...{ loadBalancerHour: 0.0225, loadBalancerUnitHour: 0.006, publicAddressHour: 0.005 },
  ...{ endpointHour: 0.01, endpointGb: 0.01, dataOutGb: 0.09 },
  ...{ logIngestGb: 0.5, logStorageGb: 0.03, customMetric: 0.3, alarm: 0.1, dashboard: 3, tracesMillion: 5 },
  ...{ secret: 0.4, key: 1, webAcl: 5, webAclRule: 1 },
  ...{ pipeRequestsMillion: 0.4, busEventsMillion: 1 },
};

export const PRICES = {
  'us-east-1': US_EAST_1,
  'eu-central-1': {
    ...US_EAST_1,
    ...{
      writeUnitsMillion: 0.7625,
      readUnitsMillion: 0.1525,
      writeCapacityHour: 0.000793,
      readCapacityHour: 0.0001586,
    },
    ...{ tableGb: 0.306, tableBackupGb: 0.2448, streamReadsMillion: 0.24 },
    ...{ vcpuHour: 0.03725, taskGbHour: 0.00409, loadBalancerHour: 0.027 },
    ...{ endpointHour: 0.012, logIngestGb: 0.63, logStorageGb: 0.0324 },
  },
} as const satisfies Record<string, Prices>;

export type Region = keyof typeof PRICES;
export const REGIONS = Object.keys(PRICES) as Region[];
