import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { ROOT } from '#cdk/dist.ts';
import {
  EXPIRE_SCHEDULE,
  FUNCTION_NAMES,
  FUNCTIONS,
  type FunctionDescription,
  type FunctionName,
  RECORD_EXPORT,
  ROTATION,
  STREAM_MAPPING,
  TABLE,
} from '#cdk/system.ts';
import { TABLE_RIGHTS } from '#cdk/table-rights.ts';
import { readCanaryEnvironment, readEnvironment } from '#runtime/environment.ts';
import { PARTITION_KINDS } from '#table/keys.ts';
import { synthesize } from './deployment.ts';
import { isAllowed, nameOf, type Statement, statementsOf } from './policy.ts';

const template = synthesize().functions;
const origins = { domainName: 'blf.example.com', apiOrigins: 'self,https://portal.example' };
const prod = synthesize({ stage: 'prod', ...origins }).functions;
const functions = Object.values(template.findResources('AWS::Lambda::Function')).map(({ Properties }) => Properties);

const TABLE_ARN = '<TableArn>';
const ACTIONS = ['GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem', 'BatchGetItem', 'BatchWriteItem'] as const;
const DATA_ACTIONS = [...ACTIONS, 'Scan', 'PartiQLSelect', 'ConditionCheckItem', 'DeleteTable', 'UpdateTable'];

const mayDo = (name: FunctionName, action: string, key: string): boolean =>
  isAllowed(roleOf(name), `dynamodb:${action}`, TABLE_ARN, { 'dynamodb:LeadingKeys': [key] });
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
    expect(read.vaultSecret?.kind).toBe(description.secrets.includes('vault') ? 'arn' : undefined);
    expect(read.nonceSecret?.kind).toBe(description.secrets.includes('nonce') ? 'arn' : undefined);
    expect(read.instructionSecret?.kind).toBe(description.secrets.includes('instruction') ? 'arn' : undefined);
    expect(read.adminSecret?.kind).toBe(description.secrets.includes('admin') ? 'arn' : undefined);
  });

  it('may do with each kind of item exactly what its rights say', () => {
    for (const action of DATA_ACTIONS) {
      const allowed = PARTITION_KINDS.filter((kind) => mayDo(name, action, `${kind}#demo.example#1001`));
      const { items }: { readonly items: Readonly<Record<string, readonly string[]>> } = TABLE_RIGHTS[name];
      expect([action, allowed]).toEqual([action, (items[action] ?? []).toSorted()]);
    }
  });

  it('reaches no other table, and an index only to query it', () => {
    const { indexes } = TABLE_RIGHTS[name];
    for (const action of DATA_ACTIONS) {
      expect(isAllowed(statements, `dynamodb:${action}`, 'arn:aws:dynamodb:eu-west-1:1:table/other')).toBe(false);
      for (const { name: index } of Object.values(TABLE.indexes))
        expect(isAllowed(statements, `dynamodb:${action}`, `${TABLE_ARN}/index/${index}`)).toBe(
          indexes.includes(index) && action === 'Query',
        );
    }
  });

  it('reads its own secrets and no other', () => {
    const own: readonly string[] = description.trigger.kind === 'rotation' ? ROTATION.secrets : description.secrets;
    for (const secret of ['nonce', 'instruction', 'admin', 'vault']) {
      const id = `<${secret.replace(/^./, (letter) => letter.toUpperCase())}Secret>`;
      expect([secret, isAllowed(statements, 'secretsmanager:GetSecretValue', id)]).toEqual([
        secret,
        own.includes(secret),
      ]);
    }
  });

  it('has no wildcard action, and a wildcard resource only where EC2 and X-Ray know no other', () => {
    for (const { effect, actions, resources } of statements) {
      expect(actions.filter((action) => action.includes('*'))).toEqual([]);
      if (effect === 'Allow' && resources.includes('*'))
        expect(actions.filter((action) => !/^(ec2:Describe|xray:Put)/.test(action))).toEqual([]);
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

describe('rights at the table, said once more by hand', () => {
  it.each<[FunctionName, string, string, boolean]>([
    ['lease', 'PutItem', 'GATEWAY#g1', true],
    ['lease', 'GetItem', 'GATEWAY#g1', false],
    ['lease', 'PutItem', 'USER#demo.example#1001', false],
    ['register', 'PutItem', 'USER#demo.example#1001', true],
    ['register', 'UpdateItem', 'USER#demo.example#1001', false],
    ['register', 'PutItem', 'TENANT#demo.example', false],
    ['publish', 'UpdateItem', 'PRESENTITY#demo.example#1001', true],
    ['publish', 'UpdateItem', 'USER#demo.example#1001', false],
    ['publish', 'GetItem', 'KEY#k1', false],
    ['call-report', 'UpdateItem', 'CALL#demo.example#c1', true],
    ['call-report', 'GetItem', 'USER#demo.example#1001', false],
    ['flow-closed', 'GetItem', 'TENANT#demo.example', false],
    ['notify', 'UpdateItem', 'USER#demo.example#1001', false],
    ['api', 'PutItem', 'AUDIT#demo.example', true],
    ['api', 'PutItem', 'GATEWAY#g1', false],
  ])('%s: %s of %s is %s', (name, action, key, expected) => {
    expect(mayDo(name, action, key)).toBe(expected);
  });

  it('only the HTTP API makes keys, with webhook lines of the audit trail, and only expiry removes those beside it', () => {
    const writers = (action: string, kind: string) => FUNCTION_NAMES.filter((name) => mayDo(name, action, `${kind}#x`));
    for (const kind of ['KEY', 'AUDIT', 'LIST']) {
      // A webhook that nobody answers is switched off, and that is written down.
      const expected = kind === 'AUDIT' ? ['webhook', 'api'] : ['api'];
      expect(writers('PutItem', kind)).toEqual(expected);
      expect(writers('UpdateItem', kind)).toEqual(expected);
      expect(writers('BatchWriteItem', kind)).toEqual(['expire']);
    }
  });

  it('do not stretch to a batch with one item of another kind', () => {
    const both = { 'dynamodb:LeadingKeys': ['PRESENTITY#demo.example#1001', 'KEY#k1'] };
    expect(isAllowed(roleOf('subscribe'), 'dynamodb:BatchGetItem', TABLE_ARN, both)).toBe(false);
    expect(isAllowed(roleOf('api'), 'dynamodb:BatchGetItem', TABLE_ARN, both)).toBe(true);
  });
});

describe('a function that stands in the VPC', () => {
  it('cannot use the rights that Lambda has to attach it', () => {
    const [create, resource] = [
      'ec2:CreateNetworkInterface',
      'arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:a/b',
    ];
    const arn = 'arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:function:lampfield-dev-notify';
    expect(isAllowed(roleOf('notify'), create, resource)).toBe(true);
    expect(isAllowed(roleOf('notify'), create, resource, { 'lambda:SourceFunctionArn': [arn] })).toBe(false);
  });
});

describe('in production', () => {
  const prod = synthesize({ stage: 'prod' }).functions;
  const reserved = (from: Template) =>
    Object.values(from.findResources('AWS::Lambda::Function')).flatMap(({ Properties }) =>
      Properties.ReservedConcurrentExecutions === undefined
        ? []
        : [[Properties.FunctionName, Properties.ReservedConcurrentExecutions]],
    );

  it('bounds what storms may take, and in dev nothing: a new account has no concurrency to reserve', () => {
    const described = FUNCTION_NAMES.map((name) => [name, describeFunction(name).reservedConcurrency] as const);
    const bounded = described.flatMap(([name, count]) =>
      count === undefined ? [] : [[`lampfield-prod-${name}`, count]],
    );
    expect(Object.fromEntries(reserved(prod))).toEqual(Object.fromEntries(bounded));
    expect(bounded.map(([name]) => name)).toEqual(
      expect.arrayContaining(['lampfield-prod-notify', 'lampfield-prod-expire', 'lampfield-prod-api']),
    );
    expect(reserved(template)).toEqual([]);
  });

  it('reserves what the deployment page says', () => {
    const page = readFileSync(path.join(ROOT, 'cdk/README.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `(\w+)` (\d+) \|/gm)].map(([, name, count]) => [
      `lampfield-prod-${name}`,
      Number(count),
    ]);
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(reserved(prod)));
    const all = rows.reduce((sum, [, count]) => sum + Number(count), 0);
    expect(page).toContain(`${all} of it are reserved`);
  });

  it('traces every function', () => {
    const functionCount = Object.keys(prod.findResources('AWS::Lambda::Function')).length;
    prod.resourcePropertiesCountIs('AWS::Lambda::Function', { TracingConfig: { Mode: 'Active' } }, functionCount);
  });
});

describe('the stream mapping', () => {
  it('brings changed states to notify, bounded in retries and age, failures to a queue', () => {
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 1);
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 100,
      ParallelizationFactor: 10,
      MaximumBatchingWindowInSeconds: 0,
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

  it('leaves what failed in queues, and functions what they do in logs, that the key of the deployment encrypts in production', () => {
    for (const [type, property] of [
      ['AWS::SQS::Queue', 'KmsMasterKeyId'],
      ['AWS::Logs::LogGroup', 'KmsKeyId'],
    ] as const)
      for (const { Properties } of Object.values(prod.findResources(type)))
        expect(nameOf(Properties[property])).toBe('<KeyArn>');
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

  it('starts webhook, which no other function may, and which has no place in the VPC and no second try', () => {
    const webhookArn = 'arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:function:lampfield-dev-webhook';
    const starters = FUNCTION_NAMES.filter((name) => isAllowed(roleOf(name), 'lambda:InvokeFunction', webhookArn));
    expect(starters).toEqual(['expire']);
    expect(isAllowed(roleOf('expire'), 'lambda:InvokeFunction', webhookArn.replace(/webhook$/, 'api'))).toBe(false);
    expect(propertiesOf('expire')?.Environment.Variables.WEBHOOK_FUNCTION).toBe('lampfield-dev-webhook');
    expect(propertiesOf('webhook')?.VpcConfig).toBeUndefined();
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
      FunctionName: { Ref: Match.stringLikeRegexp('^Webhook') },
      MaximumRetryAttempts: 0,
    });
  });

  it('starts the canary every minute where there is a name that clients connect to, and it knows that name', () => {
    const rule = {
      ScheduleExpression: 'rate(1 minute)',
      Targets: [{ Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Canary'), 'Arn'] } }],
    };
    const canaryRule = (state: string) => ({
      ...rule,
      State: state,
      Targets: [Match.objectLike(rule.Targets[0] ?? {})],
    });
    template.hasResourceProperties('AWS::Events::Rule', canaryRule('DISABLED'));
    const named = synthesize({ domainName: 'blf.example.com' }).functions;
    named.hasResourceProperties('AWS::Events::Rule', canaryRule('ENABLED'));
    const [canary] = Object.values(
      named.findResources('AWS::Lambda::Function', { Properties: { FunctionName: 'lampfield-dev-canary' } }),
    );
    expect(readCanaryEnvironment(canary?.Properties.Environment.Variables)).toEqual({
      ...{ gatewayUrl: 'wss://blf.example.com/', domain: 'canary.blf.example.com' },
    });
  });

  it('is all that EventBridge may invoke: expire and the canary', () => {
    const permissions = Object.values(template.findResources('AWS::Lambda::Permission'));
    expect(permissions.map(({ Properties }) => Properties.Principal).toSorted()).toEqual([
      ...Array.from({ length: 4 }, () => 'apigateway.amazonaws.com'),
      ...['events.amazonaws.com', 'events.amazonaws.com'],
      ...['secretsmanager.amazonaws.com', 'secretsmanager.amazonaws.com'],
    ]);
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'events.amazonaws.com',
      FunctionName: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Expire'), 'Arn'] },
    });
  });
});

describe('rotation', () => {
  it('makes new versions of the secrets with two valid versions every 30 days, not by deploying', () => {
    const schedules = Object.values(template.findResources('AWS::SecretsManager::RotationSchedule'));
    expect(schedules.map(({ Properties }) => nameOf(Properties.SecretId))).toEqual([
      '<NonceSecret>',
      '<InstructionSecret>',
    ]);
    for (const { Properties } of schedules)
      expect(Properties).toMatchObject({
        RotateImmediatelyOnUpdate: false,
        RotationRules: { ScheduleExpression: 'rate(30 days)' },
        RotationLambdaARN: { 'Fn::GetAtt': [expect.stringMatching(/^Rotate/), 'Arn'] },
      });
  });

  it('is the only function that changes secrets, and Secrets Manager invokes it for those only', () => {
    for (const action of ['PutSecretValue', 'UpdateSecretVersionStage'])
      for (const secret of ['<NonceSecret>', '<InstructionSecret>', '<AdminSecret>', '<VaultSecret>'])
        expect(FUNCTION_NAMES.filter((name) => isAllowed(roleOf(name), `secretsmanager:${action}`, secret))).toEqual(
          /Nonce|Instruction/.test(secret) ? ['rotate'] : [],
        );
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'secretsmanager.amazonaws.com',
      SourceAccount: { Ref: 'AWS::AccountId' },
      SourceArn: { 'Fn::ImportValue': Match.stringLikeRegexp('InstructionSecret') },
    });
  });
});

describe('the HTTP API', () => {
  it('brings every request under /v1 to its function, throttled, and logs who asked for what', () => {
    const methods = Object.values(template.findResources('AWS::ApiGateway::Method'));
    expect(methods.map(({ Properties }) => [Properties.HttpMethod, Properties.Integration.Type])).toEqual([
      ['ANY', 'AWS_PROXY'],
      ['ANY', 'AWS_PROXY'],
    ]);
    template.hasResourceProperties('AWS::ApiGateway::Resource', { PathPart: '{proxy+}' });
    template.hasResourceProperties('AWS::ApiGateway::RestApi', {
      EndpointConfiguration: { Types: ['REGIONAL'] },
      SecurityPolicy: 'SecurityPolicy_TLS13_1_2_PQ_2025_09',
    });
    template.hasResourceProperties('AWS::ApiGateway::Stage', {
      StageName: 'v1',
      AccessLogSetting: {
        DestinationArn: { 'Fn::Join': ['', Match.arrayWith([{ Ref: Match.stringLikeRegexp('^HttpApiLogs') }])] },
        Format: Match.not(Match.stringLikeRegexp('uthorization')),
      },
      MethodSettings: [
        Match.objectLike({ DataTraceEnabled: false, ThrottlingRateLimit: 1_000, ThrottlingBurstLimit: 2_000 }),
      ],
    });
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'apigateway.amazonaws.com',
      FunctionName: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Api'), 'Arn'] },
    });
  });

  it('refuses in its words what the function never sees, readable for pages of other origins', () => {
    const responses = Object.values(template.findResources('AWS::ApiGateway::GatewayResponse')).map(
      ({ Properties }) => Properties,
    );
    const readable = { 'gatewayresponse.header.Access-Control-Allow-Origin': "'*'" };
    expect(responses.map(({ ResponseType, StatusCode }) => [ResponseType, StatusCode])).toEqual([
      ['THROTTLED', '429'],
      ['WAF_FILTERED', '403'],
      ['DEFAULT_4XX', undefined],
      ['DEFAULT_5XX', undefined],
    ]);
    for (const { ResponseParameters } of responses) expect(ResponseParameters).toMatchObject(readable);
    expect(responses[0]?.ResponseParameters['gatewayresponse.header.Retry-After']).toBe("'1'");
    expect(JSON.parse(responses[0]?.ResponseTemplates['application/problem+json'])).toMatchObject({ status: 429 });
  });

  it('tells its function which pages may use it: of the console and of the origins that are set', () => {
    expect(propertiesOf('api')?.Environment.Variables.API_ORIGINS).toBe('');
    const origins = Object.values(prod.findResources('AWS::Lambda::Function')).map(
      ({ Properties }) => Properties.Environment.Variables.API_ORIGINS,
    );
    expect(origins.filter((each) => each !== undefined)).toEqual(['https://blf.example.com,https://portal.example']);
  });

  it('stands behind a firewall in production: managed rules, and a rate for each address', () => {
    template.resourceCountIs('AWS::WAFv2::WebACL', 0);
    prod.hasResourceProperties('AWS::WAFv2::WebACLAssociation', {
      ResourceArn: {
        'Fn::Join': ['', Match.arrayWith([Match.objectLike({ Ref: Match.stringLikeRegexp('^HttpApi') })])],
      },
      WebACLArn: { 'Fn::GetAtt': ['ApiFirewall', 'Arn'] },
    });
    const [acl] = Object.values(prod.findResources('AWS::WAFv2::WebACL'));
    const rules: { Name: string; Statement: Record<string, { RuleActionOverrides?: unknown[]; Limit?: number }> }[] =
      acl?.Properties.Rules;
    expect(rules.map(({ Name }) => Name)).toEqual([
      'rate',
      'AWSManagedRulesAmazonIpReputationList',
      'AWSManagedRulesKnownBadInputsRuleSet',
      'AWSManagedRulesCommonRuleSet',
    ]);
    expect(rules[0]?.Statement.RateBasedStatement?.Limit).toBe(40_000);
    // A snapshot of 500 extensions is longer than the 8 KiB at which AWS's rule would block it.
    expect(rules[3]?.Statement.ManagedRuleGroupStatement?.RuleActionOverrides).toContainEqual({
      Name: 'SizeRestrictions_BODY',
      ActionToUse: { Count: {} },
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
