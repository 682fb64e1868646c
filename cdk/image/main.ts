/**
 * `npm run image`: builds the gateway's image twice from the Dockerfile with buildah, compares the digests, tells the size, and
 * runs it. Where a tool is missing it says which, and does what can be done without.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { ROOT } from '#cdk/dist.ts';
import { confinementProblem, LONELY_ENVIRONMENT, runConfined } from './confined-run.ts';
import { composeBase, composeRoot, filesOf, GATEWAY_FILES } from './root-file-system.ts';

const print = (text: string): boolean => process.stdout.write(`${text}\n`);

const BASE = 'localhost/lampfield-node-base';
const IMAGE = 'localhost/lampfield-gateway';
/** One time for all files and for the image: the same sources give the same bytes. */
const CREATED_AT_SECONDS = '0';
const MIB = 1_024 ** 2;
const WITHOUT_BUILDAH = 'apt-get install buildah, or: docker build -f edge-gateway/Dockerfile .';

interface Options {
  readonly base?: string;
  readonly storage?: string;
  readonly port: string;
}

/** Needs no daemon: a folder of its own holds the layers. */
function buildah(storage: string, ...args: string[]): string {
  const places = ['--root', path.join(storage, 'root'), '--runroot', path.join(storage, 'run')];
  return execFileSync('buildah', [...places, '--storage-driver', 'vfs', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
}

/** Images of this machine alone are used, so none has to be signed; a buildah that was only unpacked has no policy. */
function signaturePolicy(storage: string): string[] {
  const file = path.join(storage, 'policy.json');
  writeFileSync(file, '{"default":[{"type":"insecureAcceptAnything"}]}');
  return ['--signature-policy', file];
}

function buildBase(storage: string): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'lampfield-base-'));
  try {
    composeBase(folder);
    const container = buildah(storage, 'from', 'scratch');
    buildah(storage, 'copy', '--quiet', container, folder, '/');
    const options = ['--quiet', '--timestamp', CREATED_AT_SECONDS, '--rm', ...signaturePolicy(storage)];
    buildah(storage, 'commit', ...options, container, BASE);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * In the OCI format, which has no HEALTHCHECK (ECS does not look at it): the one of docker names the container that built it.
 * @returns digest of the image's manifest
 */
function buildImage(storage: string, base: string): string {
  const args = ['--isolation', 'chroot', '--timestamp', CREATED_AT_SECONDS, '--build-arg', `BASE_IMAGE=${base}`];
  args.push(...signaturePolicy(storage), '--quiet', '--no-cache');
  buildah(storage, 'bud', ...args, '--file', 'edge-gateway/Dockerfile', '--tag', IMAGE, '.');
  return buildah(storage, 'inspect', '--format', '{{.FromImageDigest}}', IMAGE);
}

/** @returns the image's root file system, mounted */
function buildTwice(storage: string, base: string | undefined): string {
  if (base === undefined) buildBase(storage);
  const digests = [1, 2].map(() => buildImage(storage, base ?? BASE));
  const [first, second] = digests;
  print(`  digest ${first}${first === second ? ', the same twice' : `, and then ${second}: NOT REPRODUCIBLE`}`);
  const images = JSON.parse(buildah(storage, 'images', '--json', IMAGE));
  print(`  size ${images[0]?.size}`);
  if (first !== second) process.exitCode = 1;
  return buildah(storage, 'mount', buildah(storage, 'from', '--pull-never', ...signaturePolicy(storage), IMAGE));
}

async function runIt(root: string, port: string): Promise<void> {
  const gateway = await runConfined(root, { ...LONELY_ENVIRONMENT, PORT: port });
  const { startMs, startCpuMs } = gateway;
  print(
    `  /healthz after ${startMs.toFixed(0)} ms (${startCpuMs} ms of CPU), as uid 1000, read-only, without a capability`,
  );
  const { code, stopMs } = await gateway.stop();
  print(`  SIGTERM: ended with ${code} after ${stopMs.toFixed(0)} ms`);
  if (code !== 0) process.exitCode = 1;
}

async function run({ base, storage: given, port }: Options): Promise<void> {
  const bytes = [...filesOf(GATEWAY_FILES).values()].reduce((sum, each) => sum + each, 0);
  print(`What is copied: ${filesOf(GATEWAY_FILES).size} files, ${(bytes / MIB).toFixed(1)} MiB`);
  const storage = given ?? mkdtempSync(path.join(tmpdir(), 'lampfield-image-'));
  const root = mkdtempSync(path.join(tmpdir(), 'lampfield-root-'));
  try {
    print('Image');
    const hasBuildah = spawnSync('buildah', ['--version']).status === 0;
    if (!hasBuildah) print(`  not built: buildah is missing. ${WITHOUT_BUILDAH}`);
    const image = hasBuildah ? buildTwice(storage, base) : undefined;
    print(image === undefined ? 'Run from the same files' : 'Run from the image');
    const problem = confinementProblem();
    if (problem !== undefined) return void print(`  not run: ${problem}`);
    if (image === undefined) composeRoot(root);
    await runIt(image ?? root, port);
  } finally {
    rmSync(root, { recursive: true, force: true });
    if (given === undefined) rmSync(storage, { recursive: true, force: true });
  }
}

await new Command('image')
  .description("Builds the gateway's image, twice, and runs it as a container engine does.")
  .option('--base <image>', "base image; without it one is made of this machine's node")
  .option('--storage <folder>', 'keeps the layers there')
  .option('--port <port>', 'where the gateway listens while it is tried', '18080')
  .action(run)
  .parseAsync();
