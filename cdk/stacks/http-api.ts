/**
 * The HTTP API in front of its function, which asks for keys and answers preflights. It is a REST API of API Gateway: AWS
 * WAF cannot stand in front of an "HTTP API", and that would hand paths over decoded.
 */
import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { PROBLEM_TYPE, Problem, type ProblemStatus, problemBody } from '#core/problem.ts';
import { FUNCTIONS } from '../system.ts';
import { protectApi } from './firewall.ts';
import { deploymentName } from './names.ts';
import { createLogGroup } from './retention.ts';
import type { Settings } from './settings.ts';

/**
 * Of all tenants and guessers together: far over the quota of one tenant, which the function sees to, and far under what
 * an account's functions can do at once.
 */
const THROTTLE = { throttlingRateLimit: 1_000, throttlingBurstLimit: 2_000 } as const;
/** The stage is the first part of every path. */
const STAGE = 'v1';

export interface HttpApiLinks {
  /** With `/v1`. */
  readonly url: string;
  readonly serverErrors: IMetric;
}

export function createHttpApi(scope: Construct, settings: Settings, handler: IFunction): HttpApiLinks {
  const logGroup = createLogGroup(scope, 'HttpApiLogs', settings, `/${deploymentName(settings)}/api`);
  const api = new apigateway.LambdaRestApi(scope, 'HttpApi', {
    restApiName: deploymentName(settings),
    description: FUNCTIONS.api.what,
    handler,
    proxy: true,
    endpointTypes: [apigateway.EndpointType.REGIONAL],
    cloudWatchRole: false,
    deployOptions: {
      stageName: STAGE,
      ...THROTTLE,
      // Who asked for what; never keys or bodies.
      accessLogDestination: new apigateway.LogGroupLogDestination(logGroup),
      accessLogFormat: apigateway.AccessLogFormat.jsonWithStandardFields(),
    },
  });
  const resource = api.node.defaultChild as apigateway.CfnRestApi;
  resource.securityPolicy = apigateway.SecurityPolicy.TLS13_1_2_PQ_2025_09;
  resource.endpointAccessMode = 'BASIC';
  answerForTheFront(api);
  if (settings.apiFirewall) protectApi(scope, deploymentName(settings), api.deploymentStage);
  const url = api.urlForPath().replace(/\/$/, '');
  new CfnOutput(scope, 'ApiUrl', { value: url, description: 'HTTP API for operators' });
  return { url, serverErrors: api.metricServerError({ statistic: 'Sum', period: Duration.minutes(1) }) };
}

/** What the function never sees is answered in its words, so that pages of other origins can read it too. */
function answerForTheFront(api: apigateway.RestApi): void {
  const { THROTTLED, WAF_FILTERED, DEFAULT_4XX, DEFAULT_5XX } = apigateway.ResponseType;
  // No cookies are taken, so any page may read that it was refused.
  const readable = { 'Access-Control-Allow-Origin': "'*'", 'Access-Control-Expose-Headers': "'Retry-After'" };
  const refuse = (id: string, type: apigateway.ResponseType, status: ProblemStatus, detail: string): void => {
    const responseHeaders = { ...readable, ...(status === 429 && { 'Retry-After': "'1'" }) };
    const templates = { [PROBLEM_TYPE]: problemBody(new Problem(status, detail)) };
    api.addGatewayResponse(id, { type, statusCode: `${status}`, responseHeaders, templates });
  };
  refuse('Throttled', THROTTLED, 429, 'The API has more requests than it takes; try again in a second.');
  refuse(
    'Filtered',
    WAF_FILTERED,
    403,
    'The firewall refuses this: too many requests from this address, or an attack.',
  );
  for (const [id, type] of Object.entries({ Refused: DEFAULT_4XX, Failed: DEFAULT_5XX }))
    api.addGatewayResponse(id, { type, responseHeaders: readable });
}

/** Origins whose pages may use the API: `self` is the console. */
export function originsOf({ apiOrigins, domainName }: Settings): string[] {
  const self = domainName === undefined ? [] : [`https://${domainName}`];
  return apiOrigins.split(',').flatMap((each) => (each === 'self' ? self : each === '' ? [] : [each]));
}
