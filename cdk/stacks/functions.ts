/** The functions and what triggers them: gateways by Invoke, the table's stream, the clock, operators by HTTP. */
import { join } from 'node:path';
import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import {
  canaryDomain,
  EXPIRE_SCHEDULE,
  FUNCTION_NAMES,
  FUNCTIONS,
  type FunctionDescription,
  type FunctionName,
  ROTATION,
  STREAM_MAPPING,
} from '../system.ts';
import type { Data } from './data-replica.ts';
import { createFunctionRole } from './function-role.ts';
import { createHttpApi, originsOf } from './http-api.ts';
import { constructIdOf, deploymentName, functionNameOf, roleIdOf } from './names.ts';
import type { NetworkStack } from './network.ts';
import { isReplicated, type Place } from './places.ts';
import { exportRecords } from './record-export.ts';
import { createLogGroup } from './retention.ts';
import { rotateSecrets } from './rotation.ts';
import type { Settings } from './settings.ts';
import type { Watched } from './watched-metrics.ts';

interface FunctionsProps extends StackProps {
  readonly settings: Settings;
  readonly place: Place;
  readonly network: NetworkStack;
  readonly data: Data;
  /** Folder with one bundle per function: `<name>/index.mjs`. */
  readonly bundlesDirectory: string;
}

export class FunctionsStack extends Stack {
  readonly functions: Readonly<Record<FunctionName, lambda.Function>>;
  /** Of the HTTP API, with `/v1`. */
  readonly apiUrl: string;
  readonly #apiServerErrors: IMetric;
  readonly #notifyFailures: sqs.IQueue;
  readonly #recordFailures: sqs.IQueue;
  readonly #props: FunctionsProps;

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id, props);
    this.#props = props;
    const entries = FUNCTION_NAMES.map((name) => [name, this.#createFunction(name)] as const);
    this.functions = Object.fromEntries(entries) as Record<FunctionName, lambda.Function>;
    this.#notifyFailures = this.#mapStream();
    this.#scheduleExpire();
    this.#scheduleCanary();
    // The others have replicas of the secrets, which follow.
    if (props.place.index === 0) rotateSecrets(this.functions[ROTATION.function], props.data.secrets);
    const api = createHttpApi(this, props.settings, this.functions.api);
    this.apiUrl = api.url;
    this.#apiServerErrors = api.serverErrors;
    this.#recordFailures = exportRecords(this, props.settings, props.data.table, props.place);
  }

  /** What is looked after here. */
  get watched(): Pick<
    Watched,
    'settings' | 'table' | 'functions' | 'apiServerErrors' | 'notifyFailures' | 'recordFailures'
  > {
    const { settings, data } = this.#props;
    return {
      ...{ settings, table: data.table, functions: this.functions },
      ...{ apiServerErrors: this.#apiServerErrors },
      ...{ notifyFailures: this.#notifyFailures, recordFailures: this.#recordFailures },
    };
  }

  #createFunction(name: FunctionName): lambda.Function {
    const { settings, data, bundlesDirectory } = this.#props;
    const description: FunctionDescription = FUNCTIONS[name];
    const functionName = functionNameOf(settings, name);
    const id = constructIdOf(name);
    const startedName = description.starts && functionNameOf(settings, description.starts);
    const logGroup = createLogGroup(this, `${id}Logs`, settings, `/aws/lambda/${functionName}`);
    return new lambda.Function(this, id, {
      functionName,
      description: description.what,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      code: lambda.Code.fromAsset(join(bundlesDirectory, name)),
      handler: 'index.handler',
      memorySize: description.memoryMb,
      timeout: Duration.seconds(description.timeoutSeconds),
      environment: this.#environmentOf(name, description),
      tracing: lambda.Tracing.ACTIVE,
      ...reservedFor(settings, description),
      role: createFunctionRole(this, roleIdOf(name), { name, functionName, startedName, logGroup, ...data }),
      logGroup,
      // Asynchronous starts of it are not repeated: what they are for stays due.
      ...(description.trigger.kind === 'function' ? { retryAttempts: 0 } : {}),
      ...(description.reachesGateways ? this.#placeInVpc() : {}),
    });
  }

  #environmentOf(name: FunctionName, { secrets, starts }: FunctionDescription): Record<string, string> {
    const { data, settings, place } = this.#props;
    const secretArns = secrets.map((secret) => [`${secret.toUpperCase()}_SECRET_ARN`, data.secrets[secret].secretArn]);
    const { function: expire, everySeconds, loopEverySeconds } = EXPIRE_SCHEDULE;
    return {
      TABLE_NAME: data.table.tableName,
      ...Object.fromEntries(secretArns),
      // The last look begins before the next run does, so runs follow each other without a gap.
      ...(name === 'api' ? { API_ORIGINS: originsOf(settings).join() } : {}),
      ...(name === expire ? { EXPIRE_LOOP_SECONDS: String(everySeconds - loopEverySeconds), ...lagOf(place) } : {}),
      ...(isReplicated(settings) ? { REGION_ROLE: place.index === 0 ? 'first' : 'further' } : {}),
      ...(starts === undefined ? {} : { [`${starts.toUpperCase()}_FUNCTION`]: functionNameOf(settings, starts) }),
      ...(name === STREAM_MAPPING.function ? { HISTORY_HOURS: String(settings.historyHours) } : {}),
      ...(name === 'canary' ? canaryEnvironment(settings) : {}),
      METRICS_STAGE: deploymentName(settings),
      LOG_LEVEL: settings.logLevel,
      NODE_OPTIONS: '--enable-source-maps',
    };
  }

  #placeInVpc(): Pick<lambda.FunctionProps, 'vpc' | 'vpcSubnets' | 'securityGroups'> {
    const { vpc, functionSubnets, notifyGroup } = this.#props.network;
    return { vpc, vpcSubnets: functionSubnets, securityGroups: [notifyGroup] };
  }

  #mapStream(): sqs.IQueue {
    const { table } = this.#props.data;
    const failures = new sqs.Queue(this, 'NotifyFailures', {
      queueName: `${deploymentName(this.#props.settings)}-notify-failures`,
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.functions[STREAM_MAPPING.function].addEventSourceMapping('StateChanges', {
      eventSourceArn: table.tableStreamArn,
      // What is written while the mapping is being made counts too; the record age drops what is old.
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      batchSize: STREAM_MAPPING.batchSize,
      parallelizationFactor: STREAM_MAPPING.parallelizationFactor,
      retryAttempts: STREAM_MAPPING.maximumRetryAttempts,
      maxRecordAge: Duration.seconds(STREAM_MAPPING.maximumRecordAgeSeconds),
      bisectBatchOnError: STREAM_MAPPING.bisectBatchOnFunctionError,
      maxBatchingWindow: Duration.seconds(STREAM_MAPPING.maximumBatchingWindowSeconds),
      reportBatchItemFailures: STREAM_MAPPING.reportBatchItemFailures,
      filters: [{ pattern: JSON.stringify(STREAM_MAPPING.filterPattern) }],
      onFailure: new SqsDlq(failures),
    });
    return failures;
  }

  #scheduleExpire(): void {
    const expire = this.functions[EXPIRE_SCHEDULE.function];
    // A failed run is not repeated: the next one, a minute later, finds the same work.
    expire.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.seconds(EXPIRE_SCHEDULE.everySeconds) });
    new events.Rule(this, 'ExpireEveryMinute', {
      description: FUNCTIONS[EXPIRE_SCHEDULE.function].what,
      schedule: events.Schedule.rate(Duration.seconds(EXPIRE_SCHEDULE.everySeconds)),
      targets: [new targets.LambdaFunction(expire, { retryAttempts: 0 })],
    });
  }

  /** Without a name there is nowhere that clients, and so the canary, connect to. */
  #scheduleCanary(): void {
    const { canary } = this.functions;
    const { what, trigger } = FUNCTIONS.canary;
    canary.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.seconds(trigger.everySeconds) });
    new events.Rule(this, 'CanaryEveryMinute', {
      description: what,
      enabled: this.#props.settings.canary,
      schedule: events.Schedule.rate(Duration.seconds(trigger.everySeconds)),
      targets: [new targets.LambdaFunction(canary, { retryAttempts: 0 })],
    });
  }
}

function canaryEnvironment({ domainName }: Settings): Record<string, string> {
  if (domainName === undefined) return {};
  return { CANARY_GATEWAY_URL: `wss://${domainName}/`, CANARY_DOMAIN: canaryDomain(domainName) };
}

/** An account for trials may have no concurrency to reserve. */
function reservedFor({ stage }: Settings, { reservedConcurrency }: FunctionDescription): lambda.FunctionOptions {
  return stage === 'dev' || reservedConcurrency === undefined
    ? {}
    : { reservedConcurrentExecutions: reservedConcurrency };
}

/** What the first region has not swept by then, the second one sweeps, and so on: nobody else must notice its death. */
function lagOf({ index }: Place): Record<string, string> {
  return index === 0 ? {} : { EXPIRE_LAG_SECONDS: String(index * EXPIRE_SCHEDULE.lagSeconds) };
}
