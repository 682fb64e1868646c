/** One role per function with exactly the rights that the system description gives it. */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { FUNCTIONS, type FunctionDescription, type FunctionName, type SecretName, TABLE } from '../system.ts';

/** Functions that query an index; the others are granted the table alone. */
const INDEX_READERS: Readonly<Record<keyof typeof TABLE.indexes, readonly FunctionName[]>> = {
  due: ['expire'],
  byGateway: ['expire'],
  listed: ['api', 'expire', 'notify'],
};

interface FunctionRoleProps {
  readonly name: FunctionName;
  readonly functionName: string;
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
    ...tableStatements(props.name, description, props.table),
    ...description.secrets.map((secret) => secretStatement(props.secrets[secret])),
    ...(description.trigger.kind === 'stream' ? streamStatements(props.table) : []),
    ...(description.reachesGateways ? networkInterfaceStatements(Stack.of(scope), props.functionName) : []),
  ];
  for (const statement of statements) role.addToPolicy(statement);
  return role;
}

function logStatement(logGroup: ILogGroup): iam.PolicyStatement {
  // The ARN of a log group ends with `:*`, its streams.
  return allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn]);
}

function tableStatements(
  name: FunctionName,
  { tableActions }: FunctionDescription,
  table: dynamodb.ITableV2,
): iam.PolicyStatement[] {
  const actions = tableActions.map((action) => `dynamodb:${action}`);
  const indexes = Object.values(TABLE.indexes).filter((index) => INDEX_READERS[index.name].includes(name));
  const indexArns = indexes.map((index) => `${table.tableArn}/index/${index.name}`);
  const statements = [allow('Table', actions, [table.tableArn])];
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

/** Lambda attaches the function to the VPC with the function's role; the function's own code is denied the same. */
function networkInterfaceStatements(stack: Stack, functionName: string): iam.PolicyStatement[] {
  const describe = ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets'];
  const change = [
    'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface',
    'ec2:AssignPrivateIpAddresses',
    'ec2:UnassignPrivateIpAddresses',
  ];
  const functionArn = stack.formatArn({
    service: 'lambda',
    resource: 'function',
    resourceName: functionName,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
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
