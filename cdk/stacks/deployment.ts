/** One deployment: how the stacks stand on each other, in each of its regions. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type App, type Stack, Tags } from 'aws-cdk-lib';
import { DataStack } from './data.ts';
import { type Data, DataReplicaStack } from './data-replica.ts';
import { EdgeStack } from './edge.ts';
import { encryptWithKey } from './encryption.ts';
import { FunctionsStack } from './functions.ts';
import { linkRegions } from './links.ts';
import { NetworkStack } from './network.ts';
import { ObservabilityStack } from './observability.ts';
import { type Place, placesOf, stackOf } from './places.ts';
import type { Settings } from './settings.ts';

/** The stacks of one region. */
export interface RegionStacks {
  readonly place: Place;
  readonly network: NetworkStack;
  readonly data: Data & Stack;
  readonly functions: FunctionsStack;
  readonly edge: EdgeStack;
  readonly observability: ObservabilityStack;
}

/** The stacks of the first region, and those of the others. */
export interface Deployment extends RegionStacks {
  readonly data: DataStack;
  readonly others: readonly RegionStacks[];
}

/**
 * Adds the stacks of one deployment to the app. Without the setting `regions` no stack names an account or region: the
 * CLI's credentials decide.
 * @param rootDirectory folder with `edge-gateway/Dockerfile`, and with the build in `dist`
 * @throws {Error} when the build is missing
 */
export function deploy(app: App, settings: Settings, rootDirectory: string): Deployment {
  requireBuild(rootDirectory);
  const [first, ...others] = placesOf(settings);
  const data = new DataStack(app, ...withSettings(settings, first, 'data'));
  const home = { data, ...stacksOf(app, settings, first, data, rootDirectory) };
  const abroad = others.map((place) => {
    const replica = new DataReplicaStack(app, ...withSettings(settings, place, 'data'));
    // A replica is there when the table is.
    replica.addStackDependency(data);
    return { data: replica, ...stacksOf(app, settings, place, replica, rootDirectory) };
  });
  if (settings.encryption === 'customer')
    encryptWithKey(data, [home.network, data, home.functions, home.edge, home.observability], settings);
  linkRegions(app, settings, [home, ...abroad]);
  for (const tag of [`application=${settings.prefix}`, `stage=${settings.stage}`, ...settings.tags]) {
    const [key = '', ...value] = tag.split('=');
    Tags.of(app).add(key, value.join('='));
  }
  return { ...home, others: abroad };
}

type OfPlace = Omit<RegionStacks, 'data'>;

function stacksOf(app: App, settings: Settings, place: Place, data: Data, rootDirectory: string): OfPlace {
  const network = new NetworkStack(app, ...withSettings(settings, place, 'network'));
  const [functionsId, functionsProps] = withSettings(settings, place, 'functions');
  const bundlesDirectory = join(rootDirectory, 'dist/functions');
  const functions = new FunctionsStack(app, functionsId, { ...functionsProps, network, data, bundlesDirectory });
  const [edgeId, edgeProps] = withSettings(settings, place, 'edge');
  const edge = new EdgeStack(app, edgeId, { ...edgeProps, network, data, functions, imageDirectory: rootDirectory });
  const { service, loadBalancer, targets } = edge;
  const watched = { ...functions.watched, service, loadBalancer, targets };
  const [observabilityId, observabilityProps] = stackOf(settings, place, 'observability');
  const observability = new ObservabilityStack(app, observabilityId, { ...observabilityProps, watched });
  return { place, network, functions, edge, observability };
}

function withSettings(settings: Settings, place: Place, kind: string) {
  const [id, props] = stackOf(settings, place, kind);
  return [id, { ...props, settings, place }] as const;
}

function requireBuild(rootDirectory: string): void {
  const missing = ['dist/functions', 'dist/gateway/gateway.mjs'].filter(
    (path) => !existsSync(join(rootDirectory, path)),
  );
  if (missing.length > 0) throw new Error(`${missing.join(' and ')} not found. Build first: npm run build`);
}
