/** The HTTP API in front of its function. Who may what is the function's business: it asks for the admin key. */
import { CfnOutput } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { FUNCTIONS } from '../system.ts';
import { deploymentName } from './names.ts';
import type { Settings } from './settings.ts';

/** Operators are few: what is more is a guess at the key. */
const THROTTLE = { rateLimit: 50, burstLimit: 100 } as const;

/** Makes the API; no other site's pages may use it (no CORS). */
export function createHttpApi(scope: Construct, settings: Settings, handler: IFunction): apigateway.HttpApi {
  const api = new apigateway.HttpApi(scope, 'HttpApi', {
    apiName: deploymentName(settings),
    description: FUNCTIONS.api.what,
    createDefaultStage: false,
  });
  api.addRoutes({
    path: '/v1/{proxy+}',
    methods: [apigateway.HttpMethod.ANY],
    integration: new HttpLambdaIntegration('Api', handler, {
      payloadFormatVersion: apigateway.PayloadFormatVersion.VERSION_2_0,
    }),
  });
  const stage = api.addStage('Stage', { stageName: '$default', autoDeploy: true, throttle: THROTTLE });
  new CfnOutput(scope, 'ApiUrl', { value: `${stage.url}v1`, description: 'HTTP API for operators' });
  return api;
}
