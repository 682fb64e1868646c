/** The edge: gateways on Fargate behind a load balancer that ends TLS for WSS (RFC 7118). */
import { CfnOutput, CfnParameter, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Certificate, type ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { ARecord, HostedZone, RecordTarget } from 'aws-cdk-lib/aws-route53';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import type { Construct } from 'constructs';
import type { Data } from './data-replica.ts';
import type { FunctionsStack } from './functions.ts';
import { scaleGateways } from './gateway-scaling.ts';
import { createGatewayTask } from './gateway-task.ts';
import { deploymentName } from './names.ts';
import { type NetworkStack, PORTS } from './network.ts';
import { isReplicated, type Place } from './places.ts';
import { createLogGroup } from './retention.ts';
import { certificateOf, type Settings } from './settings.ts';

interface EdgeProps extends StackProps {
  readonly settings: Settings;
  readonly place: Place;
  readonly network: NetworkStack;
  readonly data: Data;
  readonly functions: FunctionsStack;
  /** Build context of the gateway's image: the folder that holds `edge-gateway/Dockerfile` and `dist/gateway`. */
  readonly imageDirectory: string;
}

export class EdgeStack extends Stack {
  readonly service: ecs.FargateService;
  readonly loadBalancer: elbv2.INetworkLoadBalancer;
  readonly targets: elbv2.NetworkTargetGroup;
  readonly #props: EdgeProps;

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id, props);
    this.#props = props;
    const listener = this.#createListener();
    this.service = this.#createService();
    this.loadBalancer = listener.loadBalancer;
    this.targets = this.#addTargets(listener);
    this.#nameIt(listener.loadBalancer);
  }

  #createListener(): elbv2.NetworkListener {
    const { network } = this.#props;
    const loadBalancer = new elbv2.NetworkLoadBalancer(this, 'LoadBalancer', {
      vpc: network.vpc,
      internetFacing: true,
      crossZoneEnabled: true,
      securityGroups: [network.loadBalancerGroup],
      deletionProtection: this.#props.settings.keepData,
    });
    return loadBalancer.addListener('Wss', {
      port: PORTS.tls,
      protocol: elbv2.Protocol.TLS,
      sslPolicy: elbv2.SslPolicy.TLS13_RES,
      certificates: [this.#certificate()],
    });
  }

  #certificate(): ICertificate {
    const arn = certificateOf(this.#props.settings, this.#props.place.region);
    return Certificate.fromCertificateArn(this, 'Certificate', arn ?? this.#certificateParameter());
  }

  /** Without the setting a template can still be made; deploying it then asks for the certificate. */
  #certificateParameter(): string {
    return new CfnParameter(this, 'CertificateArn', {
      description: 'ARN of the ACM certificate for the TLS listener',
      allowedPattern: '^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$',
    }).valueAsString;
  }

  #createService(): ecs.FargateService {
    const { settings, network } = this.#props;
    const logGroup = createLogGroup(this, 'GatewayLogs', settings, `/${deploymentName(settings)}/gateway`);
    const cluster = new ecs.Cluster(this, 'Cluster', {
      vpc: network.vpc,
      containerInsightsV2: settings.stage === 'prod' ? ecs.ContainerInsights.ENABLED : ecs.ContainerInsights.DISABLED,
    });
    const service = new ecs.FargateService(this, 'Gateway', {
      cluster,
      taskDefinition: createGatewayTask(this, 'GatewayTask', {
        ...{ settings, cluster, logGroup, imageDirectory: this.#props.imageDirectory },
        instructionSecret: this.#props.data.secrets.instruction,
        functions: this.#props.functions.functions,
        apiUrl: this.#props.functions.apiUrl,
      }),
      desiredCount: settings.gatewayCount,
      vpcSubnets: network.gatewaySubnets,
      assignPublicIp: settings.gatewaySubnets === 'public',
      securityGroups: [network.gatewayGroup],
      // New gateways stand before old ones drain, some at a time: never do all clients look for another one at once.
      minHealthyPercent: 100,
      maxHealthyPercent: 100 + waveOf(settings.gatewayCount),
      circuitBreaker: { rollback: true },
      // From the start of a gateway until the load balancer has seen that it reaches the functions.
      healthCheckGracePeriod: Duration.seconds(60),
    });
    scaleGateways(service, settings);
    return service;
  }

  #addTargets(listener: elbv2.NetworkListener): elbv2.NetworkTargetGroup {
    const targets = listener.addTargets('Gateways', {
      port: PORTS.client,
      protocol: elbv2.Protocol.TCP,
      targets: [this.service.loadBalancerTarget({ containerName: 'gateway', containerPort: PORTS.client })],
      preserveClientIp: true,
      deregistrationDelay: Duration.seconds(10),
      healthCheck: {
        protocol: elbv2.Protocol.HTTP,
        port: String(PORTS.client),
        // Not /readyz, which needs the table: an outage of that must not make ECS replace every gateway.
        path: '/healthz/functions',
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 3,
      },
    });
    // A gateway that stops closes its flows by itself, in waves; the load balancer would cut them all at once.
    targets.setAttribute('deregistration_delay.connection_termination.enabled', 'false');
    targets.setAttribute('target_health_state.unhealthy.connection_termination.enabled', 'false');
    return targets;
  }

  #nameIt(loadBalancer: elbv2.INetworkLoadBalancer): void {
    const { domainName, hostedZoneId } = this.#props.settings;
    if (domainName !== undefined && hostedZoneId !== undefined)
      new ARecord(this, 'Record', {
        zone: HostedZone.fromHostedZoneAttributes(this, 'Zone', { hostedZoneId, zoneName: domainName }),
        recordName: `${domainName}.`,
        target: RecordTarget.fromAlias(new LoadBalancerTarget(loadBalancer, { evaluateTargetHealth: true })),
        ...this.#latencyRouting(),
      });
    new CfnOutput(this, 'LoadBalancerName', { value: loadBalancer.loadBalancerDnsName });
    if (domainName !== undefined) new CfnOutput(this, 'WebSocketAddress', { value: `wss://${domainName}/` });
  }

  /** Of several regions clients are sent to the nearest that has a healthy gateway. */
  #latencyRouting(): { region: string; setIdentifier: string } | undefined {
    const { settings, place } = this.#props;
    if (!isReplicated(settings) || place.region === undefined) return undefined;
    return { region: place.region, setIdentifier: place.region };
  }
}

/** Percent of the gateways that a deployment replaces at a time: a quarter, but at least one. */
const waveOf = (gatewayCount: number): number => Math.max(25, Math.ceil(100 / gatewayCount));
