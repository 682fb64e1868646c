/** Entry of the gateway process: settings, start, signals. */
import { resolveAdvertisedHost } from './advertised-host.ts';
import { describeConfig, readConfig } from './config.ts';
import { startGateway } from './gateway.ts';
import { readGeneration } from './task-generation.ts';

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(describeConfig());
    return;
  }
  const config = readConfig(process.env);
  process.title = config.GATEWAY_TITLE;
  const { ECS_CONTAINER_METADATA_URI_V4: metadataUri, AWS_REGION: region } = process.env;
  const host = await resolveAdvertisedHost(config.ADVERTISED_HOST, metadataUri);
  const gateway = await startGateway(config, host, await readGeneration(metadataUri, region));
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    void gateway.drain().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
