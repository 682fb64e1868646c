/** Links between the regions of a deployment: VPC peering, over which gateways carry calls and messages. */
import { type App, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { RegionStacks } from './deployment.ts';
import { stackOf } from './places.ts';
import type { Settings } from './settings.ts';

/** Each pair of regions has one peering, which the earlier one makes; each routes to the other by it. */
export function linkRegions(app: App, settings: Settings, all: readonly RegionStacks[]): void {
  const links = all.length < 2 ? [] : all.map(({ place }) => new Stack(app, ...stackOf(settings, place, 'links')));
  for (const [index, here] of all.entries())
    for (const [further, there] of all.slice(index + 1).entries()) {
      const [near, far] = [links[index], links[index + 1 + further]];
      if (near !== undefined && far !== undefined) link({ ...here, links: near }, { ...there, links: far });
    }
}

type Linked = RegionStacks & { readonly links: Stack };

function link(here: Linked, there: Linked): void {
  const peering = new ec2.CfnVPCPeeringConnection(here.links, `To${there.place.region}`, {
    vpcId: here.network.vpc.vpcId,
    peerVpcId: there.network.vpc.vpcId,
    ...(there.place.region === undefined ? {} : { peerRegion: there.place.region }),
  });
  route(here, there, peering.attrId);
  route(there, here, peering.attrId);
}

function route({ links, network }: Linked, { place }: Linked, vpcPeeringConnectionId: string): void {
  for (const subnet of [...network.vpc.publicSubnets, ...network.vpc.isolatedSubnets])
    new ec2.CfnRoute(links, `${subnet.node.id}To${place.region}`, {
      routeTableId: subnet.routeTable.routeTableId,
      destinationCidrBlock: place.cidr,
      vpcPeeringConnectionId,
    });
}
