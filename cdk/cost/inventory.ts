/** What a deployment holds that is paid for whether it is used or not: counted in its own templates. Pure. */
import * as v from 'valibot';

export interface Inventory {
  /** Network interfaces of VPC endpoints: one a zone. */
  readonly endpointInterfaces: number;
  readonly loadBalancers: number;
  readonly zones: number;
  readonly secrets: number;
  readonly keys: number;
  readonly alarms: number;
  readonly dashboards: number;
  readonly webAcls: number;
  readonly webAclRules: number;
  readonly tracedFunctions: number;
  readonly tasks: number;
  readonly taskVcpu: number;
  readonly taskGb: number;
  readonly hasPublicTasks: boolean;
}

const template = v.object({
  Resources: v.record(
    v.string(),
    v.object({ Type: v.string(), Properties: v.optional(v.record(v.string(), v.any()), {}) }),
  ),
});

/** @param templates CloudFormation templates of all stacks */
export function inventoryOf(templates: readonly unknown[]): Inventory {
  const resources = templates.flatMap((each) => Object.values(v.parse(template, each).Resources));
  const of = (type: string) => resources.filter(({ Type }) => Type === type).map(({ Properties }) => Properties);
  const endpoints = of('AWS::EC2::VPCEndpoint').filter(({ VpcEndpointType }) => VpcEndpointType === 'Interface');
  const balancers = of('AWS::ElasticLoadBalancingV2::LoadBalancer');
  const [service] = of('AWS::ECS::Service');
  const [task] = of('AWS::ECS::TaskDefinition');
  const acls = of('AWS::WAFv2::WebACL');
  const address = service?.NetworkConfiguration?.AwsvpcConfiguration?.AssignPublicIp;
  return {
    endpointInterfaces: endpoints.reduce((total, { SubnetIds }) => total + SubnetIds.length, 0),
    loadBalancers: balancers.length,
    zones: balancers[0]?.Subnets?.length ?? balancers[0]?.SubnetMappings?.length ?? 0,
    secrets: of('AWS::SecretsManager::Secret').length,
    keys: of('AWS::KMS::Key').length,
    alarms: of('AWS::CloudWatch::Alarm').length + of('AWS::CloudWatch::CompositeAlarm').length,
    dashboards: of('AWS::CloudWatch::Dashboard').length,
    webAcls: acls.length,
    webAclRules: acls.reduce((total, { Rules }) => total + (Rules?.length ?? 0), 0),
    tracedFunctions: of('AWS::Lambda::Function').filter(({ TracingConfig }) => TracingConfig?.Mode === 'Active').length,
    tasks: Number(service?.DesiredCount ?? 0),
    taskVcpu: Number(task?.Cpu ?? 0) / 1_024,
    taskGb: Number(task?.Memory ?? 0) / 1_024,
    hasPublicTasks: address === 'ENABLED',
  };
}
