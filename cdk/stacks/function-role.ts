/** One role per function with exactly the rights that the system description gives it. */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { partitionStart } from '#table/keys.ts';
import { FUNCTIONS, type FunctionDescription, type FunctionName, type SecretName } from '../system.ts';
import { TABLE_RIGHTS } from '../table-rights.ts';

interface FunctionRoleProps {
  readonly name: FunctionName;
  readonly functionName: string;
  /** Of the function that it starts. */
  readonly startedName: string | undefined;
  readonly table: dynamodb.ITableV2;
  readonly secrets: Readonly<Record<SecretName, ISecret>>;
  readonly logGroup: ILogGroup;
}

/** Makes the role of a function; a function that is not granted something here cannot do it. */
export function createFunctionRole(scope: Construct, id: string, props: FunctionRoleProps): iam.Role {
  const description: FunctionDescription = FUNCTIONS[props.name];
  const role = new iam.Role(scope, id, {
    assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    description: `${props.functionName}: ${description.what}`,
  });
  const statements = [
    logStatement(props.logGroup),
    ...tableStatements(props.name, props.table),
    ...description.secrets.map((secret) => secretStatement(props.secrets[secret])),
    ...(description.trigger.kind === 'stream' ? streamStatements(props.table) : []),
    ...(props.startedName === undefined ? [] : [startStatement(Stack.of(scope), props.startedName)]),
    ...(description.reachesGateways ? networkInterfaceStatements(Stack.of(scope), props.functionName) : []),
  ];
  for (const statement of statements) role.addToPolicy(statement);
  return role;
}

function logStatement(logGroup: ILogGroup): iam.PolicyStatement {
  // The ARN of a log group ends with `:*`, its streams.
  return allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn]);
}

/**
 * Actions with the same items stand in one statement. An action that is granted always names partition keys (no Scan), so
 * ForAllValues is never true for want of them. Of an index it is not documented which key would count: none is demanded.
 */
function tableStatements(name: FunctionName, table: dynamodb.ITableV2): iam.PolicyStatement[] {
  const { items, indexes } = TABLE_RIGHTS[name];
  const actionsByKinds = new Map<string, string[]>();
  for (const [action, kinds] of Object.entries(items)) {
    const keys = kinds.map(partitionStart).toSorted().join();
    actionsByKinds.set(keys, [...(actionsByKinds.get(keys) ?? []), `dynamodb:${action}`]);
  }
  const statements = [...actionsByKinds].map(([keys, actions]) => {
    const conditions = {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys.split(',').map((key) => `${key}*`) },
    };
    return new iam.PolicyStatement({ actions, resources: [table.tableArn], conditions });
  });
  const indexArns = indexes.map((index) => `${table.tableArn}/index/${index}`);
  if (indexArns.length > 0) statements.push(allow('Indexes', ['dynamodb:Query'], indexArns));
  return statements;
}

function streamStatements(table: dynamodb.ITableV2): iam.PolicyStatement[] {
  if (table.tableStreamArn === undefined) throw new Error('The table has no stream.');
  const read = ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'];
  return [
    allow('Stream', read, [table.tableStreamArn]),
    // Lambda demands it to create the mapping; it names streams and reads none.
    allow('ListStreams', ['dynamodb:ListStreams'], [`${table.tableArn}/stream/*`]),
  ];
}

function secretStatement(secret: ISecret): iam.PolicyStatement {
  return allow(undefined, ['secretsmanager:GetSecretValue'], [secret.secretArn]);
}

function startStatement(stack: Stack, functionName: string): iam.PolicyStatement {
  return allow('StartFunction', ['lambda:InvokeFunction'], [functionArnOf(stack, functionName)]);
}

const functionArnOf = (stack: Stack, functionName: string): string =>
  stack.formatArn({
    service: 'lambda',
    resource: 'function',
    resourceName: functionName,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });

/** Lambda attaches the function to the VPC with the function's role; the function's own code is denied the same. */
function networkInterfaceStatements(stack: Stack, functionName: string): iam.PolicyStatement[] {
  const describe = ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets'];
  const change = [
    'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface',
    'ec2:AssignPrivateIpAddresses',
    'ec2:UnassignPrivateIpAddresses',
  ];
  const functionArn = functionArnOf(stack, functionName);
  return [
    // EC2 has no resource level for Describe, and interfaces get their ids when Lambda makes them.
    allow('FindInterfaces', describe, ['*']),
    allow('AttachToVpc', change, [stack.formatArn({ service: 'ec2', resource: '*', resourceName: '*' })]),
    new iam.PolicyStatement({
      sid: 'NotFromCode',
      effect: iam.Effect.DENY,
      actions: [...describe, ...change],
      resources: ['*'],
      conditions: { ArnEquals: { 'lambda:SourceFunctionArn': functionArn } },
    }),
  ];
}

function allow(sid: string | undefined, actions: string[], resources: string[]): iam.PolicyStatement {
  return new iam.PolicyStatement({ ...(sid === undefined ? {} : { sid }), actions, resources });
}
