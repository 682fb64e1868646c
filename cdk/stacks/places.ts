/** The places of a deployment: its regions, what belongs to which, and which addresses each one has. */
import type { StackProps } from 'aws-cdk-lib';
import { deploymentName } from './names.ts';
import type { Settings } from './settings.ts';

/** One region of a deployment; the only one of most. */
export interface Place {
  /** None: where the credentials of the CLI lead. */
  readonly region: string | undefined;
  /** 0 is the first one: it owns the table and the secrets, and sweeps. */
  readonly index: number;
  /** Addresses of the VPC that is made here. */
  readonly cidr: string;
  /** Of the VPCs of the other regions, whose gateways and functions are neighbours. */
  readonly otherCidrs: readonly string[];
}

export function placesOf(settings: Settings): [Place, ...Place[]] {
  const [first, ...others] = settings.regions;
  const count = 1 + others.length;
  const cidrs = Array.from({ length: count }, (_, index) => blockBehind(settings.vpcCidr, index));
  const placeAt = (region: string | undefined, index: number): Place => ({
    ...{ region, index, cidr: cidrs[index] ?? settings.vpcCidr },
    otherCidrs: cidrs.filter((_, other) => other !== index),
  });
  return [placeAt(first, 0), ...others.map((region, index) => placeAt(region, index + 1))];
}

/** Id of a stack and, in a deployment of several regions, where it stands. */
export function stackOf(settings: Settings, { region }: Place, kind: string): [id: string, props: StackProps] {
  const name = deploymentName(settings);
  if (region === undefined) return [`${name}-${kind}`, {}];
  // Ids are those of one region, so that a second one changes nothing in the first.
  const id = region === settings.regions[0] ? `${name}-${kind}` : `${name}-${kind}-${region}`;
  return [id, { env: { region }, stackName: `${name}-${kind}`, crossRegionReferences: settings.regions.length > 1 }];
}

/** True when every item is in several regions, so that two may change it at the same time. */
export const isReplicated = ({ regions }: Settings): boolean => regions.length > 1;

/** The IPv4 block of the same size that is so many further. */
function blockBehind(cidr: string, count: number): string {
  const [address = '', bits = ''] = cidr.split('/');
  const base = address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
  const moved = base + count * 2 ** (32 - Number(bits));
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(moved / 2 ** shift) % 256);
  return `${parts.join('.')}/${bits}`;
}
