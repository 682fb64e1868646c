/** Settings of one deployment: read from CDK context (`cdk deploy -c stage=prod -c certificateArn=…`), validated, with defaults per stage. */
import * as v from 'valibot';
import { memoryFor, TASK_MEMORY_MB } from './gateway-size.ts';
import { type GivenSettings, SETTING_NAMES, settingsSchema } from './settings-schema.ts';

interface StageDefaults {
  readonly availabilityZones: number;
  readonly gatewayCount: number;
  readonly gatewayCountMost: number;
  readonly gatewayCpu: number;
  readonly gatewayMemoryMb: number;
  readonly flowsPerGateway: number;
  readonly gatewaySubnets: 'public' | 'private';
  readonly historyHours: number;
  readonly logRetentionDays: number;
  readonly encryption: 'aws' | 'customer';
  readonly apiFirewall: boolean;
  readonly keepData: boolean;
}

export const STAGE_DEFAULTS: Readonly<Record<'dev' | 'prod', StageDefaults>> = {
  dev: {
    availabilityZones: 2,
    gatewayCount: 1,
    gatewayCountMost: 2,
    gatewayCpu: 256,
    gatewayMemoryMb: 512,
    flowsPerGateway: 5_000,
    gatewaySubnets: 'public',
    historyHours: 24,
    logRetentionDays: 7,
    encryption: 'aws',
    apiFirewall: false,
    keepData: false,
  },
  prod: {
    availabilityZones: 2,
    gatewayCount: 2,
    gatewayCountMost: 20,
    gatewayCpu: 1_024,
    gatewayMemoryMb: 3_072,
    flowsPerGateway: 50_000,
    gatewaySubnets: 'private',
    historyHours: 24,
    logRetentionDays: 90,
    encryption: 'customer',
    apiFirewall: true,
    keepData: true,
  },
};

export type Stage = keyof typeof STAGE_DEFAULTS;
export type Settings = Readonly<Omit<GivenSettings, keyof StageDefaults | 'canary'>> &
  StageDefaults & { readonly canary: boolean };

/**
 * Reads and validates the settings.
 * @param lookUp value of a setting, `undefined` when it was not given (CDK: `node.tryGetContext`)
 * @throws {Error} naming every setting that is wrong and why
 */
export function readSettings(lookUp: (name: string) => unknown): Settings {
  const given = Object.fromEntries(SETTING_NAMES.map((name) => [name, lookUp(name) ?? undefined]));
  const result = v.safeParse(settingsSchema, given);
  if (!result.success)
    throw settingsError(result.issues.map((issue) => `${String(issue.path?.[0].key)}: ${issue.message}`));
  const settings = withStageDefaults(result.output);
  const problems = findContradictions(settings);
  if (problems.length > 0) throw settingsError(problems);
  return settings;
}

function withStageDefaults(given: GivenSettings): Settings {
  const defaults = STAGE_DEFAULTS[given.stage];
  const count = given.gatewayCount ?? defaults.gatewayCount;
  return {
    ...given,
    availabilityZones: given.availabilityZones ?? defaults.availabilityZones,
    gatewayCount: count,
    gatewayCountMost: given.gatewayCountMost ?? Math.max(count, defaults.gatewayCountMost),
    gatewayCpu: given.gatewayCpu ?? defaults.gatewayCpu,
    gatewayMemoryMb: given.gatewayMemoryMb ?? defaults.gatewayMemoryMb,
    flowsPerGateway: given.flowsPerGateway ?? defaults.flowsPerGateway,
    gatewaySubnets: given.gatewaySubnets ?? defaults.gatewaySubnets,
    historyHours: given.historyHours ?? defaults.historyHours,
    logRetentionDays: given.logRetentionDays ?? defaults.logRetentionDays,
    encryption: given.encryption ?? (given.regions.length > 1 ? 'aws' : defaults.encryption),
    apiFirewall: given.apiFirewall ?? defaults.apiFirewall,
    keepData: given.keepData ?? defaults.keepData,
    canary: given.canary ?? given.domainName !== undefined,
  };
}

function findContradictions(settings: Settings): string[] {
  return [
    ...problemsOfName(settings),
    ...problemsOfRegions(settings),
    ...problemsOfNetwork(settings),
    ...problemsOfGateways(settings),
    ...problemsOfTable(settings),
  ];
}

function problemsOfName({ hostedZoneId, domainName, canary }: Settings): string[] {
  if (domainName !== undefined) return [];
  return [
    ...(hostedZoneId === undefined ? [] : ['hostedZoneId: needs domainName, the name of the record']),
    ...(canary ? ['canary: needs domainName, where clients connect to'] : []),
  ];
}

function problemsOfRegions({ regions, certificateArn, encryption }: Settings): string[] {
  const problems = new Set(regions).size < regions.length ? ['regions: each one once'] : [];
  const certified = certificateArn.map(regionOfArn);
  const without = regions.filter((region) => !certified.includes(region));
  const isOneTooMany = certificateArn.length > Math.max(1, regions.length);
  if (regions.length > 1 && encryption === 'customer') problems.push('encryption: with several regions it must be aws');
  if (isOneTooMany) problems.push('certificateArn: one for each of the regions');
  else if (certificateArn.length > 0 && without.length > 0)
    problems.push(`certificateArn: none is of the region ${without.join(', ')}`);
  return problems;
}

/** The ACM certificate for the listener of a region, or of the only one there is. */
export function certificateOf({ regions, certificateArn }: Settings, region: string | undefined): string | undefined {
  return regions.length === 0 ? certificateArn[0] : certificateArn.find((arn) => regionOfArn(arn) === region);
}

const regionOfArn = (arn: string): string => arn.split(':')[3] ?? '';

function problemsOfNetwork(settings: Settings): string[] {
  const { vpcId, vpcZones, vpcPublicSubnets, vpcPrivateSubnets, regions } = settings;
  const lists = { vpcZones, vpcPublicSubnets, vpcPrivateSubnets };
  if (vpcId === undefined)
    return Object.entries(lists).flatMap(([name, list]) => (list.length > 0 ? [`${name}: needs vpcId`] : []));
  const problems = regions.length > 1 ? ['vpcId: with several regions the VPCs are made here'] : [];
  if (vpcZones.length < 2) problems.push('vpcZones: at least two zones');
  for (const name of ['vpcPublicSubnets', 'vpcPrivateSubnets'] as const)
    if (lists[name].length !== vpcZones.length) problems.push(`${name}: one in each zone of vpcZones`);
  return problems;
}

function problemsOfGateways(settings: Settings): string[] {
  const { gatewayCpu, gatewayMemoryMb, gatewayCount, gatewayCountMost, flowsPerGateway } = settings;
  const problems: string[] = [];
  if (gatewayCountMost < gatewayCount) problems.push('gatewayCountMost: must not be less than gatewayCount');
  const memory = TASK_MEMORY_MB[gatewayCpu];
  const sizes = Object.keys(TASK_MEMORY_MB).join(', ');
  if (memory === undefined) problems.push(`gatewayCpu: must be one of ${sizes}`);
  else if (!isTaskMemory(gatewayMemoryMb, memory))
    problems.push(
      `gatewayMemoryMb: with gatewayCpu ${gatewayCpu} must be whole GiB (or 512) from ${memory.least} to ${memory.most}`,
    );
  const needed = memoryFor(flowsPerGateway);
  if (gatewayMemoryMb < needed)
    problems.push(`gatewayMemoryMb: ${flowsPerGateway} flows (flowsPerGateway) need ${needed}`);
  return problems;
}

function problemsOfTable({ tableBilling, tableMostReadUnits, tableMostWriteUnits }: Settings): string[] {
  const isBounded = tableMostReadUnits !== undefined && tableMostWriteUnits !== undefined;
  if (tableBilling === 'onDemand' || isBounded) return [];
  return ['tableBilling: provisioned needs tableMostReadUnits and tableMostWriteUnits'];
}

function isTaskMemory(memoryMb: number, { least, most }: { readonly least: number; readonly most: number }): boolean {
  return memoryMb >= least && memoryMb <= most && (memoryMb === least || memoryMb % 1_024 === 0);
}

function settingsError(problems: readonly string[]): Error {
  return new Error(`The deployment's settings are not right:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
}
