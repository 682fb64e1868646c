/** The secrets that sign instructions: from the environment, or from Secrets Manager, which may rotate them while the gateway runs. */
import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import {
  fetchVersions,
  KEEP_SECRET_MS,
  keysInOrder,
  type SecretStage,
  type SecretVersion,
} from '#core/secret-versions.ts';
import type { GatewayConfig } from './config.ts';
import type { Log } from './telemetry.ts';

export interface InstructionKeys {
  /** As they are now: the first one signs, all are accepted. */
  readonly valid: () => readonly string[];
  close(): void;
}

export interface InstructionKeyPorts {
  readonly log: Pick<Log, 'warn'>;
  readonly nowMs: () => number;
  /** After a read that failed, and after one that did not. */
  readonly retryMs?: number;
  readonly keepMs?: number;
}

const RETRY_MS = 60_000;
const TIMEOUT_MS = 5_000;

type KeySettings = Pick<GatewayConfig, 'INSTRUCTION_SECRET' | 'INSTRUCTION_SECRET_PREVIOUS' | 'INSTRUCTION_SECRET_ARN'>;

/** @throws when Secrets Manager does not answer at the start: a gateway without keys would hear nobody */
export async function openInstructionKeys(config: KeySettings, ports: InstructionKeyPorts): Promise<InstructionKeys> {
  const { INSTRUCTION_SECRET: text, INSTRUCTION_SECRET_PREVIOUS: previous, INSTRUCTION_SECRET_ARN: arn } = config;
  if (arn === undefined) {
    const given = [text, previous].filter((secret) => secret !== undefined);
    return { valid: () => given, close: () => undefined };
  }
  return followSecret(arn, ports);
}

/** Reads the secret again as long as the gateway runs; without an answer the known versions stay valid. */
async function followSecret(arn: string, ports: InstructionKeyPorts): Promise<InstructionKeys> {
  const { log, nowMs, retryMs = RETRY_MS, keepMs = KEEP_SECRET_MS } = ports;
  const client = new SecretsManagerClient({ maxAttempts: 3, requestHandler: { requestTimeout: TIMEOUT_MS } });
  const read = (): Promise<readonly SecretVersion[]> => fetchVersions((stage) => fetchVersion(client, arn, stage));
  let versions = await read();
  let timer: NodeJS.Timeout;
  const readAgain = async (): Promise<void> => {
    try {
      versions = await read();
      plan(keepMs);
    } catch (error) {
      log.warn({ hop: 'secret', err: String(error) }, 'the instruction secret cannot be read');
      plan(retryMs);
    }
  };
  const plan = (ms: number): void => {
    timer = setTimeout(() => void readAgain(), ms).unref();
  };
  plan(keepMs);
  return {
    valid: () => keysInOrder(versions, nowMs()),
    close() {
      clearTimeout(timer);
      client.destroy();
    },
  };
}

/** @returns undefined when no version has the stage */
async function fetchVersion(
  client: SecretsManagerClient,
  arn: string,
  stage: SecretStage,
): Promise<SecretVersion | undefined> {
  const command = new GetSecretValueCommand({ SecretId: arn, VersionStage: stage });
  try {
    const { SecretString, CreatedDate } = await client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
    if (SecretString) return { text: SecretString, createdAtMs: CreatedDate?.getTime() ?? 0 };
  } catch (error) {
    if (stage === 'AWSPREVIOUS' && error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
  throw new Error(`The secret ${arn} has no text`);
}
