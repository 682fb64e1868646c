/** What Secrets Manager does for readers and rotations, of one secret: versions with their stages. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Version {
  text?: string;
  createdAtMs: number;
  stages: string[];
}

export interface FakeSecretsManager {
  readonly versions: Map<string, Version>;
  /** Operations in the order in which they came. */
  readonly asked: string[];
  readonly endpoint: string;
  /** True: every request fails. */
  isDown: boolean;
  /** What Secrets Manager does before it invokes the rotation function. */
  begin(versionId: string): void;
  stop(): void;
}

type Body = Readonly<Record<string, string>>;

/** @param text of the version `v1`, which is current */
export async function startSecretsManager(text: string, createdAtMs = 0): Promise<FakeSecretsManager> {
  const versions = new Map<string, Version>([['v1', { text, createdAtMs, stages: ['AWSCURRENT'] }]]);
  const asked: string[] = [];
  const withStage = (stage: string) => [...versions].find(([, { stages }]) => stages.includes(stage));

  function answer(operation: string, body: Body): object | undefined {
    const { VersionId, VersionStage = 'AWSCURRENT', ClientRequestToken = '' } = body;
    if (operation === 'DescribeSecret')
      return { VersionIdsToStages: Object.fromEntries([...versions].map(([id, { stages }]) => [id, stages])) };
    if (operation === 'GetSecretValue') {
      const found = VersionId === undefined ? withStage(VersionStage)?.[1] : versions.get(VersionId);
      return found?.text === undefined
        ? undefined
        : { SecretString: found.text, CreatedDate: found.createdAtMs / 1_000 };
    }
    if (operation === 'PutSecretValue') {
      versions.set(ClientRequestToken, {
        text: body.SecretString ?? '',
        createdAtMs: Date.now(),
        stages: ['AWSPENDING'],
      });
      return {};
    }
    if (operation !== 'UpdateSecretVersionStage') throw new Error(operation);
    const [moveTo, current] = [versions.get(body.MoveToVersionId ?? ''), withStage('AWSCURRENT')];
    if (moveTo === undefined || current?.[0] !== body.RemoveFromVersionId) return undefined;
    for (const version of versions.values()) version.stages = version.stages.filter((each) => each !== 'AWSPREVIOUS');
    if (current) current[1].stages = ['AWSPREVIOUS'];
    moveTo.stages = ['AWSCURRENT'];
    return {};
  }

  const server = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).replace('secretsmanager.', '');
    asked.push(operation);
    const given = answer(operation, JSON.parse(await textOf(request)));
    if (fake.isDown) response.writeHead(400).end('{"__type":"AccessDeniedException"}');
    else response.writeHead(given ? 200 : 400).end(JSON.stringify(given ?? { __type: 'ResourceNotFoundException' }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const fake: FakeSecretsManager = {
    ...{ versions, asked, isDown: false },
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    begin: (versionId) => void versions.set(versionId, { createdAtMs: Date.now(), stages: ['AWSPENDING'] }),
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return fake;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
