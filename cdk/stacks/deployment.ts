/** One deployment: how the stacks stand on each other. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type App, Tags } from 'aws-cdk-lib';
import { DataStack } from './data.ts';
import { EdgeStack } from './edge.ts';
import { encryptWithKey } from './encryption.ts';
import { FunctionsStack } from './functions.ts';
import { deploymentName } from './names.ts';
import { NetworkStack } from './network.ts';
import { ObservabilityStack } from './observability.ts';
import type { Settings } from './settings.ts';

export interface Deployment {
  readonly network: NetworkStack;
  readonly data: DataStack;
  readonly functions: FunctionsStack;
  readonly edge: EdgeStack;
  readonly observability: ObservabilityStack;
}

/**
 * Adds the stacks of one deployment to the app. No stack names an account or region: the CLI's credentials decide.
 * @param rootDirectory folder with `edge-gateway/Dockerfile`, and with the build in `dist`
 * @throws {Error} when the build is missing
 */
export function deploy(app: App, settings: Settings, rootDirectory: string): Deployment {
  requireBuild(rootDirectory);
  const name = deploymentName(settings);
  const network = new NetworkStack(app, `${name}-network`, { settings });
  const data = new DataStack(app, `${name}-data`, { settings });
  const functions = new FunctionsStack(app, `${name}-functions`, {
    settings,
    network,
    data,
    bundlesDirectory: join(rootDirectory, 'dist/functions'),
  });
  const edge = new EdgeStack(app, `${name}-edge`, {
    settings,
    network,
    data,
    functions,
    imageDirectory: rootDirectory,
  });
  const { service, loadBalancer, targets } = edge;
  const watched = { ...functions.watched, service, loadBalancer, targets };
  const observability = new ObservabilityStack(app, `${name}-observability`, { watched });
  if (settings.encryption === 'customer')
    encryptWithKey(data, [network, data, functions, edge, observability], settings);
  Tags.of(app).add('application', settings.prefix);
  Tags.of(app).add('stage', settings.stage);
  return { network, data, functions, edge, observability };
}

function requireBuild(rootDirectory: string): void {
  const missing = ['dist/functions', 'dist/gateway/gateway.mjs'].filter(
    (path) => !existsSync(join(rootDirectory, path)),
  );
  if (missing.length > 0) throw new Error(`${missing.join(' and ')} not found. Build first: npm run build`);
}
