/** The HTTP API in front of its function. Who may what is the function's business: it asks for the admin key. */
import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { API_CORS, FUNCTIONS } from '../system.ts';
import { deploymentName } from './names.ts';
import type { Settings } from './settings.ts';

/**
 * Of all tenants and guessers together: far over the quota of one tenant, which the function sees to, and far under what
 * an account's functions can do at once.
 */
const THROTTLE = { rateLimit: 1_000, burstLimit: 2_000 } as const;

/**
 * Makes the API; of other sites' pages only those of the console and of the origins that are set may use it.
 * @returns its URL, with `/v1`
 */
export function createHttpApi(scope: Construct, settings: Settings, handler: IFunction): string {
  const api = new apigateway.HttpApi(scope, 'HttpApi', {
    apiName: deploymentName(settings),
    description: FUNCTIONS.api.what,
    createDefaultStage: false,
    ...corsOf(settings),
  });
  api.addRoutes({
    path: '/v1/{proxy+}',
    methods: [apigateway.HttpMethod.ANY],
    integration: new HttpLambdaIntegration('Api', handler, {
      payloadFormatVersion: apigateway.PayloadFormatVersion.VERSION_2_0,
    }),
  });
  const stage = api.addStage('Stage', { stageName: '$default', autoDeploy: true, throttle: THROTTLE });
  const url = `${stage.url}v1`;
  new CfnOutput(scope, 'ApiUrl', { value: url, description: 'HTTP API for operators' });
  return url;
}

/** API Gateway answers preflights itself; they need no key. */
function corsOf({ apiOrigins, domainName }: Settings): Pick<apigateway.HttpApiProps, 'corsPreflight'> {
  const self = domainName === undefined ? [] : [`https://${domainName}`];
  const allowOrigins = apiOrigins.split(',').flatMap((each) => (each === 'self' ? self : each === '' ? [] : [each]));
  if (allowOrigins.length === 0) return {};
  return {
    corsPreflight: {
      allowOrigins,
      allowMethods: API_CORS.methods.map((method) => apigateway.CorsHttpMethod[method]),
      allowHeaders: [...API_CORS.requestHeaders],
      exposeHeaders: [...API_CORS.responseHeaders],
      maxAge: Duration.seconds(API_CORS.maxAgeSeconds),
    },
  };
}
