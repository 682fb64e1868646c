/** The table and the secrets as another region than the first one has them: replicas, known by their names. */
import { Stack, type StackProps } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import * as custom from 'aws-cdk-lib/custom-resources';
import type { Construct } from 'constructs';
import type { SecretName } from '../system.ts';
import { secretNameOf, tableNameOf } from './names.ts';
import type { Settings } from './settings.ts';

/** What functions and gateways need of the data, in any region. */
export interface Data {
  readonly table: dynamodb.ITableV2;
  readonly secrets: Readonly<Record<SecretName, ISecret>>;
}

interface DataReplicaProps extends StackProps {
  readonly settings: Settings;
}

export class DataReplicaStack extends Stack implements Data {
  readonly table: dynamodb.ITableV2;
  readonly secrets: Readonly<Record<SecretName, ISecret>>;

  constructor(scope: Construct, id: string, { settings, ...props }: DataReplicaProps) {
    super(scope, id, props);
    const tableName = tableNameOf(settings);
    const tableStreamArn = this.#findStream(tableName);
    this.table = dynamodb.TableV2.fromTableAttributes(this, 'Table', { tableName, tableStreamArn });
    const secret = (name: SecretName) => Secret.fromSecretNameV2(this, `${name}Secret`, secretNameOf(settings, name));
    this.secrets = {
      nonce: secret('nonce'),
      instruction: secret('instruction'),
      admin: secret('admin'),
      vault: secret('vault'),
      canary: secret('canary'),
    };
  }

  /** CloudFormation tells the stream of the table's own region only. */
  #findStream(tableName: string): string {
    const tableArn = this.formatArn({ service: 'dynamodb', resource: 'table', resourceName: tableName });
    const call = {
      ...{ service: 'DynamoDB', action: 'describeTable', parameters: { TableName: tableName } },
      physicalResourceId: custom.PhysicalResourceId.fromResponse('Table.LatestStreamArn'),
      outputPaths: ['Table.LatestStreamArn'],
    };
    const found = new custom.AwsCustomResource(this, 'Stream', {
      onUpdate: call,
      installLatestAwsSdk: false,
      policy: custom.AwsCustomResourcePolicy.fromStatements([
        new iam.PolicyStatement({ actions: ['dynamodb:DescribeTable'], resources: [tableArn] }),
      ]),
    });
    return found.getResponseField('Table.LatestStreamArn');
  }
}
