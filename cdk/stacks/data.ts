/** What must outlive every deployment: the table and the secrets. */
import { type RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { type SecretName, TABLE } from '../system.ts';
import { removalPolicyOf } from './retention.ts';
import type { Settings } from './settings.ts';

const SECRETS = {
  nonce: 'Key of the digest nonces (RFC 7616) that functions give out',
  instruction: 'Key that signs instructions from functions to gateways',
  admin: 'Admin key: bearer token of the HTTP API',
  canary: 'Password of the canary in its own tenant',
  vault: 'Keys of the secrets that stand in the table; several with blanks between them, the first one seals',
} as const satisfies Record<SecretName, string>;

const ATTRIBUTE_TYPES = { N: dynamodb.AttributeType.NUMBER, S: dynamodb.AttributeType.STRING } as const;

interface DataProps extends StackProps {
  readonly settings: Settings;
}

export class DataStack extends Stack {
  readonly table: dynamodb.TableV2;
  readonly secrets: Readonly<Record<SecretName, secretsmanager.Secret>>;

  constructor(scope: Construct, id: string, { settings, ...props }: DataProps) {
    super(scope, id, { terminationProtection: settings.keepData, ...props });
    const removalPolicy = removalPolicyOf(settings);
    this.table = this.#createTable(settings, removalPolicy);
    this.secrets = {
      nonce: this.#createSecret('NonceSecret', 'nonce', removalPolicy),
      instruction: this.#createSecret('InstructionSecret', 'instruction', removalPolicy),
      admin: this.#createSecret('AdminSecret', 'admin', removalPolicy),
      vault: this.#createSecret('VaultSecret', 'vault', removalPolicy),
      canary: this.#createSecret('CanarySecret', 'canary', removalPolicy),
    };
  }

  #createTable(settings: Settings, removalPolicy: RemovalPolicy): dynamodb.TableV2 {
    return new dynamodb.TableV2(this, 'Table', {
      partitionKey: { name: TABLE.partitionKey, type: dynamodb.AttributeType.STRING },
      sortKey: { name: TABLE.sortKey, type: dynamodb.AttributeType.STRING },
      billing: dynamodb.Billing.onDemand(),
      dynamoStream: dynamodb.StreamViewType[TABLE.streamView],
      timeToLiveAttribute: TABLE.ttlAttribute,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      encryption: dynamodb.TableEncryptionV2.awsManagedKey(),
      globalSecondaryIndexes: Object.values(TABLE.indexes).map((index) => ({
        indexName: index.name,
        partitionKey: { name: index.partitionKey, type: dynamodb.AttributeType.STRING },
        sortKey: { name: index.sortKey, type: ATTRIBUTE_TYPES[index.sortKeyType] },
        projectionType: dynamodb.ProjectionType[index.projection],
      })),
      deletionProtection: settings.keepData,
      removalPolicy,
    });
  }

  #createSecret(id: string, name: SecretName, removalPolicy: RemovalPolicy): secretsmanager.Secret {
    return new secretsmanager.Secret(this, id, {
      description: SECRETS[name],
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      removalPolicy,
    });
  }
}
