/** AWS WAF in front of the HTTP API: known attacks, known bad addresses, and a rate for each address. */
import type { Stage } from 'aws-cdk-lib/aws-apigateway';
import { CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';

/** Within five minutes: 133 a second, over what a tenant may ask from one address, and an eighth of what the stage takes. */
const REQUESTS_PER_ADDRESS = 40_000;

/** AWS's own rules, each with those that only count here. */
const MANAGED: Readonly<Record<string, readonly string[]>> = {
  AWSManagedRulesAmazonIpReputationList: [],
  AWSManagedRulesKnownBadInputsRuleSet: [],
  AWSManagedRulesCommonRuleSet: [
    // Snapshots of a PBX have up to 1 MiB, which the function bounds; this rule ends at 8 KiB.
    'SizeRestrictions_BODY',
    // PBXs and scripts send no User-Agent.
    'NoUserAgent_HEADER',
  ],
};

export function protectApi(scope: Construct, name: string, stage: Stage): void {
  const managed = Object.entries(MANAGED).map(
    ([rules, counted], index): CfnWebACL.RuleProperty => ({
      name: rules,
      priority: index + 1,
      overrideAction: { none: {} },
      statement: {
        managedRuleGroupStatement: {
          vendorName: 'AWS',
          name: rules,
          ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
        },
      },
      visibilityConfig: visibility(rules),
    }),
  );
  const rate: CfnWebACL.RuleProperty = {
    name: 'rate',
    priority: 0,
    action: { block: { customResponse: { responseCode: 429 } } },
    statement: { rateBasedStatement: { limit: REQUESTS_PER_ADDRESS, aggregateKeyType: 'IP' } },
    visibilityConfig: visibility('rate'),
  };
  const acl = new CfnWebACL(scope, 'ApiFirewall', {
    name: `${name}-api`,
    scope: 'REGIONAL',
    defaultAction: { allow: {} },
    rules: [rate, ...managed],
    visibilityConfig: visibility(`${name}-api`),
  });
  new CfnWebACLAssociation(scope, 'ApiFirewallAssociation', { resourceArn: stage.stageArn, webAclArn: acl.attrArn });
}

const visibility = (metricName: string): CfnWebACL.VisibilityConfigProperty => ({
  metricName,
  cloudWatchMetricsEnabled: true,
  sampledRequestsEnabled: true,
});
