/** What must outlive every deployment: the table and the secrets. */
import { type RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { type SecretName, TABLE } from '../system.ts';
import type { Data } from './data-replica.ts';
import { hasNames, secretNameOf, tableNameOf } from './names.ts';
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

export class DataStack extends Stack implements Data {
  readonly table: dynamodb.TableV2;
  readonly secrets: Readonly<Record<SecretName, secretsmanager.Secret>>;

  constructor(scope: Construct, id: string, { settings, ...props }: DataProps) {
    super(scope, id, { terminationProtection: settings.keepData, ...props });
    const removalPolicy = removalPolicyOf(settings);
    this.table = this.#createTable(settings, removalPolicy);
    const createSecret = (id: string, name: SecretName) => this.#createSecret(id, name, settings, removalPolicy);
    this.secrets = {
      nonce: createSecret('NonceSecret', 'nonce'),
      instruction: createSecret('InstructionSecret', 'instruction'),
      admin: createSecret('AdminSecret', 'admin'),
      vault: createSecret('VaultSecret', 'vault'),
      canary: createSecret('CanarySecret', 'canary'),
    };
  }

  #createTable(settings: Settings, removalPolicy: RemovalPolicy): dynamodb.TableV2 {
    return new dynamodb.TableV2(this, 'Table', {
      partitionKey: { name: TABLE.partitionKey, type: dynamodb.AttributeType.STRING },
      sortKey: { name: TABLE.sortKey, type: dynamodb.AttributeType.STRING },
      ...(hasNames(settings) ? { tableName: tableNameOf(settings) } : {}),
      billing: billingOf(settings),
      replicas: otherRegions(settings).map((region) => ({ region })),
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

  #createSecret(id: string, name: SecretName, settings: Settings, removalPolicy: RemovalPolicy): secretsmanager.Secret {
    return new secretsmanager.Secret(this, id, {
      ...(hasNames(settings) ? { secretName: secretNameOf(settings, name) } : {}),
      replicaRegions: otherRegions(settings).map((region) => ({ region })),
      description: SECRETS[name],
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      removalPolicy,
    });
  }
}

const otherRegions = ({ regions }: Settings): readonly string[] => regions.slice(1);

/** Capacity that is paid by the hour follows the use, from the least that there is. */
function billingOf({ tableBilling, tableMostReadUnits, tableMostWriteUnits }: Settings): dynamodb.Billing {
  const most = { maxReadRequestUnits: tableMostReadUnits, maxWriteRequestUnits: tableMostWriteUnits };
  if (tableBilling === 'onDemand') return dynamodb.Billing.onDemand(most);
  const following = (maxCapacity = LEAST_UNITS) =>
    dynamodb.Capacity.autoscaled({ minCapacity: LEAST_UNITS, maxCapacity, targetUtilizationPercent: 60 });
  return dynamodb.Billing.provisioned({
    readCapacity: following(tableMostReadUnits),
    writeCapacity: following(tableMostWriteUnits),
  });
}

const LEAST_UNITS = 5;
