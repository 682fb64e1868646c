import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import {
  EXPIRE_SCHEDULE,
  FUNCTION_NAMES,
  FUNCTIONS,
  type FunctionDescription,
  type FunctionName,
  RECORD_EXPORT,
  STREAM_MAPPING,
} from '#cdk/system.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { synthesize } from './deployment.ts';
import { isAllowed, nameOf, type Statement, statementsOf } from './policy.ts';

const template = synthesize().functions;
const functions = Object.values(template.findResources('AWS::Lambda::Function')).map(({ Properties }) => Properties);

const TABLE_ARN = '<TableArn>';
const ACTIONS = ['GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem'] as const;
const DATA_ACTIONS = [...ACTIONS, 'Scan', 'BatchGetItem', 'BatchWriteItem', 'DeleteTable', 'UpdateTable'];

const describeFunction = (name: FunctionName): FunctionDescription => FUNCTIONS[name];
const roleOf = (name: FunctionName): Statement[] =>
  statementsOf(template, `${name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Role`);
const propertiesOf = (name: FunctionName) =>
  functions.find(({ FunctionName }) => FunctionName === `lampfield-dev-${name}`);

describe.each(FUNCTION_NAMES)('function %s', (name) => {
  const description = describeFunction(name);
  const statements = roleOf(name);

  it('runs its bundle on arm64 and Node 24 with the described size', () => {
    expect(propertiesOf(name)).toMatchObject({
      Architectures: ['arm64'],
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      MemorySize: description.memoryMb,
      Timeout: description.timeoutSeconds,
    });
  });

  it('gets an environment that it can read, with the ARNs of its own secrets only', () => {
    const variables = Object.entries<unknown>(propertiesOf(name)?.Environment.Variables);
    const environment = Object.fromEntries(variables.map(([key, value]) => [key, nameOf(value)]));
    const read = readEnvironment(environment);
    expect(read.tableName).toBe('<Table>');
    expect(read.nonceSecret?.kind).toBe(description.secrets.includes('nonce') ? 'arn' : undefined);
    expect(read.instructionSecret?.kind).toBe(description.secrets.includes('instruction') ? 'arn' : undefined);
    expect(read.adminSecret?.kind).toBe(description.secrets.includes('admin') ? 'arn' : undefined);
  });

  it('may do on the table exactly what is described', () => {
    const allowed = DATA_ACTIONS.filter((action) => isAllowed(statements, `dynamodb:${action}`, TABLE_ARN));
    expect(allowed.toSorted()).toEqual(description.tableActions.toSorted());
  });

  it('reaches no other table, and an index only to query it: for expiry, or to list', () => {
    const readers = { due: ['expire'], byGateway: ['expire'], listed: ['api', 'expire', 'notify'] };
    for (const action of DATA_ACTIONS) {
      expect(isAllowed(statements, `dynamodb:${action}`, 'arn:aws:dynamodb:eu-west-1:1:table/other')).toBe(false);
      for (const [index, allowed] of Object.entries(readers))
        expect(isAllowed(statements, `dynamodb:${action}`, `${TABLE_ARN}/index/${index}`)).toBe(
          allowed.includes(name) && action === 'Query',
        );
    }
  });

  it('reads its own secrets and no other', () => {
    const read = (secret: string) => isAllowed(statements, 'secretsmanager:GetSecretValue', `<${secret}Secret>`);
    expect(read('Nonce')).toBe(description.secrets.includes('nonce'));
    expect(read('Instruction')).toBe(description.secrets.includes('instruction'));
  });

  it('has no wildcard action, and a wildcard resource only where EC2 knows no other', () => {
    for (const { effect, actions, resources } of statements) {
      expect(actions.filter((action) => action.includes('*'))).toEqual([]);
      if (effect === 'Allow' && resources.includes('*'))
        expect(actions.filter((action) => !action.startsWith('ec2:Describe'))).toEqual([]);
    }
  });

  it('writes its own log, which ends', () => {
    const logGroup = nameOf(propertiesOf(name)?.LoggingConfig.LogGroup);
    expect(isAllowed(statements, 'logs:PutLogEvents', `${logGroup.slice(0, -1)}Arn>`)).toBe(true);
    template.hasResourceProperties('AWS::Logs::LogGroup', {
      LogGroupName: `/aws/lambda/lampfield-dev-${name}`,
      RetentionInDays: 7,
    });
  });

  it('stands in the VPC only if it posts to gateways', () => {
    expect(propertiesOf(name)?.VpcConfig !== undefined).toBe(description.reachesGateways);
    expect(
      isAllowed(
        statements,
        'ec2:CreateNetworkInterface',
        'arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:a/b',
      ),
    ).toBe(description.reachesGateways);
  });
});

describe('the stream mapping', () => {
  it('brings changed states to notify, bounded in retries and age, failures to a queue', () => {
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 1);
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 100,
      ParallelizationFactor: 10,
      MaximumRetryAttempts: 10,
      MaximumRecordAgeInSeconds: 120,
      BisectBatchOnFunctionError: true,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      FilterCriteria: { Filters: [{ Pattern: JSON.stringify(STREAM_MAPPING.filterPattern) }] },
      StartingPosition: 'TRIM_HORIZON',
      FunctionName: { Ref: Match.stringLikeRegexp('^Notify') },
      DestinationConfig: {
        OnFailure: { Destination: { 'Fn::GetAtt': [Match.stringLikeRegexp('^NotifyFailures'), 'Arn'] } },
      },
    });
  });

  it('lets notify, and no other function, read the stream and fill the failure queue', () => {
    for (const name of FUNCTION_NAMES) {
      expect(isAllowed(roleOf(name), 'dynamodb:GetRecords', '<TableStreamArn>')).toBe(name === 'notify');
      expect(isAllowed(roleOf(name), 'sqs:SendMessage', '<NotifyFailuresArn>')).toBe(name === 'notify');
    }
  });

  it('keeps failed batches encrypted for two weeks and refuses plain HTTP', () => {
    template.hasResourceProperties('AWS::SQS::Queue', {
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 1_209_600,
    });
    template.hasResourceProperties('AWS::SQS::QueuePolicy', {
      PolicyDocument: {
        Statement: [Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })],
      },
    });
  });
});

describe('the schedule', () => {
  it('starts expire every minute, which loops until the next run', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(1 minute)',
      State: 'ENABLED',
      Targets: [Match.objectLike({ Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Expire'), 'Arn'] } })],
    });
    const loopSeconds = Number(propertiesOf('expire')?.Environment.Variables.EXPIRE_LOOP_SECONDS);
    expect(loopSeconds).toBe(EXPIRE_SCHEDULE.everySeconds - EXPIRE_SCHEDULE.loopEverySeconds);
    expect(loopSeconds).toBeLessThan(FUNCTIONS.expire.timeoutSeconds);
  });

  it('does not repeat a failed run', () => {
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', { MaximumRetryAttempts: 0 });
  });

  it('is the only one that EventBridge may invoke', () => {
    const permissions = Object.values(template.findResources('AWS::Lambda::Permission'));
    expect(permissions.map(({ Properties }) => Properties.Principal).toSorted()).toEqual([
      'apigateway.amazonaws.com',
      'events.amazonaws.com',
    ]);
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'events.amazonaws.com',
      FunctionName: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Expire'), 'Arn'] },
    });
  });
});

describe('the HTTP API', () => {
  it('brings every request under /v1 to its function, throttled, and no page may use it unless an origin is known', () => {
    template.resourceCountIs('AWS::ApiGatewayV2::Route', 1);
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: 'ANY /v1/{proxy+}' });
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', {
      ProtocolType: 'HTTP',
      CorsConfiguration: Match.absent(),
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::Integration', {
      PayloadFormatVersion: '2.0',
      IntegrationUri: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Api'), 'Arn'] },
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      StageName: '$default',
      AutoDeploy: true,
      DefaultRouteSettings: { ThrottlingRateLimit: 1_000, ThrottlingBurstLimit: 2_000 },
    });
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'apigateway.amazonaws.com',
      FunctionName: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Api'), 'Arn'] },
    });
  });

  it('lets the pages of the console and of the origins that are set use it, and no others', () => {
    const origins = { domainName: 'blf.example.com', apiOrigins: 'self,https://portal.example' };
    synthesize(origins).functions.hasResourceProperties('AWS::ApiGatewayV2::Api', {
      CorsConfiguration: {
        AllowOrigins: ['https://blf.example.com', 'https://portal.example'],
        AllowMethods: ['GET', 'PUT', 'POST', 'DELETE'],
        AllowHeaders: Match.arrayWith(['authorization', 'if-match']),
        ExposeHeaders: Match.arrayWith(['etag', 'retry-after']),
        AllowCredentials: Match.absent(),
      },
    });
  });

  it('has a key that stands in no template and that no other function may read', () => {
    const readers = FUNCTION_NAMES.filter((name) =>
      isAllowed(roleOf(name), 'secretsmanager:GetSecretValue', '<AdminSecret>'),
    );
    expect(readers).toEqual(['api']);
  });
});

describe('records of calls', () => {
  it('leave by a pipe from the stream to a bus of their own, failures to a queue', () => {
    template.hasResourceProperties('AWS::Pipes::Pipe', {
      SourceParameters: {
        DynamoDBStreamParameters: {
          StartingPosition: 'TRIM_HORIZON',
          DeadLetterConfig: { Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^RecordFailures'), 'Arn'] } },
        },
        FilterCriteria: { Filters: [{ Pattern: JSON.stringify(RECORD_EXPORT.filterPattern) }] },
      },
      Target: { 'Fn::GetAtt': [Match.stringLikeRegexp('^CallBus'), 'Arn'] },
      TargetParameters: {
        EventBridgeEventBusParameters: { Source: 'lampfield', DetailType: 'Call Detail Record' },
      },
    });
  });

  it('go through a role that reads the stream, puts events and fills the queue, and no more', () => {
    const statements = statementsOf(template, 'RecordPipeRole');
    expect(isAllowed(statements, 'dynamodb:GetRecords', '<TableStreamArn>')).toBe(true);
    expect(isAllowed(statements, 'events:PutEvents', '<CallBusArn>')).toBe(true);
    expect(isAllowed(statements, 'sqs:SendMessage', '<RecordFailuresArn>')).toBe(true);
    expect(isAllowed(statements, 'dynamodb:GetItem', TABLE_ARN)).toBe(false);
    expect(statements.flatMap(({ actions }) => actions).filter((action) => action.includes('*'))).toEqual([]);
  });
});
