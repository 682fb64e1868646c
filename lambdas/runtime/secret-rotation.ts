/** Secrets Manager's four steps of a rotation, for secrets that nobody keeps but Secrets Manager and those who read it there. */
import { randomBytes } from 'node:crypto';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import * as v from 'valibot';

const rotationEvent = v.object({
  Step: v.picklist(['createSecret', 'setSecret', 'testSecret', 'finishSecret']),
  SecretId: v.string(),
  /** Id of the version that comes. */
  ClientRequestToken: v.string(),
});
type RotationEvent = v.InferOutput<typeof rotationEvent>;

/** 64 characters. */
const SECRET_BYTES = 48;

let client: SecretsManagerClient | undefined;

/** @throws when the version is not one that waits to become current; every step may come twice */
export async function rotateSecret(input: unknown): Promise<void> {
  const event = v.parse(rotationEvent, input);
  client ??= new SecretsManagerClient({ maxAttempts: 3 });
  const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId: event.SecretId }));
  const stages = VersionIdsToStages[event.ClientRequestToken] ?? [];
  if (stages.includes('AWSCURRENT')) return;
  if (!stages.includes('AWSPENDING')) throw new Error(`${event.ClientRequestToken} is not a pending version`);
  if (event.Step === 'createSecret') await createVersion(client, event);
  // Nobody else has to be told the new secret (setSecret), so there is nothing to try it on (testSecret).
  if (event.Step === 'finishSecret') {
    const current = Object.keys(VersionIdsToStages).find((id) => VersionIdsToStages[id]?.includes('AWSCURRENT'));
    await makeCurrent(client, event, current);
  }
}

async function createVersion(secrets: SecretsManagerClient, event: RotationEvent): Promise<void> {
  const { SecretId, ClientRequestToken } = event;
  const pending = { SecretId, VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' };
  try {
    await secrets.send(new GetSecretValueCommand(pending));
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
    const SecretString = randomBytes(SECRET_BYTES).toString('base64url');
    const VersionStages = ['AWSPENDING'];
    await secrets.send(new PutSecretValueCommand({ SecretId, ClientRequestToken, SecretString, VersionStages }));
  }
}

/** Secrets Manager makes the version that was current the previous one. */
async function makeCurrent(secrets: SecretsManagerClient, event: RotationEvent, current?: string): Promise<void> {
  await secrets.send(
    new UpdateSecretVersionStageCommand({
      SecretId: event.SecretId,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: event.ClientRequestToken,
      ...(current !== undefined && { RemoveFromVersionId: current }),
    }),
  );
}
