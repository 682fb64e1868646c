/** Network: where gateways and `notify` stand, and who may open a connection to whom. */
import { Annotations, Fn, Stack, type StackProps } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import { deploymentName } from './names.ts';
import type { Place } from './places.ts';
import { createLogGroup } from './retention.ts';
import type { Settings } from './settings.ts';

/** Port for clients at the load balancer, and the two ports of a gateway. */
export const PORTS = { tls: 443, client: 8080, instruction: 9090 } as const;

const GATEWAY_ENDPOINTS = {
  DynamoDb: ec2.GatewayVpcEndpointAwsService.DYNAMODB,
  // Image layers come from S3.
  S3: ec2.GatewayVpcEndpointAwsService.S3,
};
/** What `notify` needs from inside; DynamoDB has its free gateway endpoint and Lambda ships the logs itself. */
const FUNCTION_ENDPOINTS = { SecretsManager: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER };
/** What a gateway without a public address needs besides. */
const GATEWAY_TASK_ENDPOINTS = {
  Lambda: ec2.InterfaceVpcEndpointAwsService.LAMBDA,
  Logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  EcrApi: ec2.InterfaceVpcEndpointAwsService.ECR,
  EcrDocker: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
};

interface NetworkProps extends StackProps {
  readonly settings: Settings;
  readonly place: Place;
}

export class NetworkStack extends Stack {
  readonly vpc: ec2.IVpc;
  readonly gatewaySubnets: ec2.SubnetSelection;
  readonly functionSubnets: ec2.SubnetSelection = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED };
  readonly loadBalancerGroup: ec2.SecurityGroup;
  readonly gatewayGroup: ec2.SecurityGroup;
  readonly notifyGroup: ec2.SecurityGroup;
  readonly #zoneCount: number;

  constructor(scope: Construct, id: string, { settings, place, ...props }: NetworkProps) {
    super(scope, id, props);
    this.#zoneCount = settings.availabilityZones;
    const isPrivate = settings.gatewaySubnets === 'private';
    this.gatewaySubnets = { subnetType: isPrivate ? ec2.SubnetType.PRIVATE_ISOLATED : ec2.SubnetType.PUBLIC };
    const { vpcId } = settings;
    this.vpc = vpcId === undefined ? this.#createVpc(settings, place) : this.#importVpc(vpcId, settings);
    this.loadBalancerGroup = this.#createGroup('LoadBalancerGroup', 'Load balancer: TLS from anywhere');
    this.gatewayGroup = this.#createGroup('GatewayGroup', 'Gateways: clients by the load balancer, instructions');
    this.notifyGroup = this.#createGroup('NotifyGroup', 'Functions that reach gateways: notify, message');
    this.#connect();
    this.#logRefused(settings);
    this.#connectRegions(place.otherCidrs);
    // A VPC that is there has its own ways to the AWS services; a second endpoint with the same name is refused.
    if (vpcId === undefined)
      this.#createEndpoints({ ...FUNCTION_ENDPOINTS, ...(isPrivate ? GATEWAY_TASK_ENDPOINTS : {}) });
  }

  /** Zones by position, resolved when deploying: no account is asked while synthesizing. */
  override get availabilityZones(): string[] {
    return Array.from({ length: this.#zoneCount }, (_, index) => Fn.select(index, Fn.getAzs()));
  }

  #createVpc(settings: Settings, { cidr }: Place): ec2.Vpc {
    const gatewayEndpoints = Object.entries(GATEWAY_ENDPOINTS).map(([name, service]) => [name, { service }]);
    return new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(cidr),
      maxAzs: settings.availabilityZones,
      natGateways: 0,
      subnetConfiguration: [
        { name: 'public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'private', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
      gatewayEndpoints: Object.fromEntries(gatewayEndpoints),
    });
  }

  /** What was refused tells of scans and of rules that are missing; what was allowed, the gateways log themselves. */
  #logRefused(settings: Settings): void {
    const logGroup = createLogGroup(this, 'FlowLogs', settings, `/${deploymentName(settings)}/refused-flows`);
    new ec2.FlowLog(this, 'RefusedFlows', {
      resourceType: ec2.FlowLogResourceType.fromVpc(this.vpc),
      destination: ec2.FlowLogDestination.toCloudWatchLogs(logGroup),
      trafficType: ec2.FlowLogTrafficType.REJECT,
    });
  }

  /** By what the settings say alone: nothing is looked up. */
  #importVpc(vpcId: string, { vpcZones, vpcPublicSubnets, vpcPrivateSubnets }: Settings): ec2.IVpc {
    const vpc = ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId,
      availabilityZones: vpcZones,
      publicSubnetIds: vpcPublicSubnets,
      isolatedSubnetIds: vpcPrivateSubnets,
    });
    for (const subnet of [...vpc.publicSubnets, ...vpc.isolatedSubnets])
      Annotations.of(subnet).acknowledgeWarning('@aws-cdk/aws-ec2:noSubnetRouteTableId', 'No route is made here.');
    return vpc;
  }

  #createGroup(id: string, description: string): ec2.SecurityGroup {
    return new ec2.SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound: false });
  }

  #connect(): void {
    const { tls, client, instruction } = PORTS;
    this.loadBalancerGroup.addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(tls), 'WSS clients');
    this.loadBalancerGroup.connections.allowTo(this.gatewayGroup, ec2.Port.tcp(client), 'Flows and health checks');
    this.notifyGroup.connections.allowTo(this.gatewayGroup, ec2.Port.tcp(instruction), 'Instructions');
    this.gatewayGroup.connections.allowInternally(ec2.Port.tcp(instruction), 'Calls between gateways');
    // Gateway endpoints and public AWS endpoints have addresses that no security group names.
    this.gatewayGroup.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(tls), 'AWS APIs');
    this.notifyGroup.addEgressRule(
      ec2.Peer.anyIpv4(),
      ec2.Port.tcp(tls),
      'AWS APIs; the subnets have no other way out',
    );
  }

  /** Calls and messages go from a gateway or function to the gateway of the other party, wherever that stands. */
  #connectRegions(otherCidrs: readonly string[]): void {
    const instruction = ec2.Port.tcp(PORTS.instruction);
    for (const cidr of otherCidrs) {
      const peer = ec2.Peer.ipv4(cidr);
      this.gatewayGroup.addIngressRule(peer, instruction, 'Gateways and functions of another region');
      this.gatewayGroup.addEgressRule(peer, instruction, 'Gateways of another region');
      this.notifyGroup.addEgressRule(peer, instruction, 'Gateways of another region');
    }
  }

  #createEndpoints(services: Readonly<Record<string, ec2.InterfaceVpcEndpointAwsService>>): void {
    const group = this.#createGroup('EndpointGroup', 'VPC endpoints: from gateways and the functions that reach them');
    for (const peer of [this.gatewayGroup, this.notifyGroup])
      group.addIngressRule(peer, ec2.Port.tcp(PORTS.tls), 'AWS APIs');
    for (const [name, service] of Object.entries(services))
      this.vpc.addInterfaceEndpoint(`${name}Endpoint`, {
        service,
        subnets: this.functionSubnets,
        securityGroups: [group],
        open: false,
      });
  }
}
