/** The gateway's root file system from what this machine has: node with its libraries, and what the Dockerfile copies. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DIST } from '#cdk/dist.ts';

/** The bundle, its source map, and the panel. */
export const GATEWAY_FILES = path.join(DIST, 'gateway');
/** Where the Dockerfile puts it. */
export const APP = '/app';
const NODE = '/usr/local/bin/node';

/**
 * Makes a base in place of a public one: no shell, no package manager, nothing but node and its libraries.
 * @param folder empty; @param node binary of the Node that the system runs on
 */
export function composeBase(folder: string, node = process.execPath): void {
  chmodSync(folder, 0o755);
  for (const name of ['app', 'dev', 'proc', 'tmp', 'etc']) mkdirSync(path.join(folder, name), { recursive: true });
  for (const [from, to] of [[node, NODE] as const, ...librariesOf(node).map((file) => [file, file] as const)])
    cpSync(realpathSync(from), path.join(folder, to), { dereference: true });
  writeFileSync(path.join(folder, 'etc/passwd'), 'node:x:1000:1000::/tmp:/usr/local/bin/node\n');
  writeFileSync(path.join(folder, 'etc/group'), 'node:x:1000:\n');
  writeFileSync(path.join(folder, 'etc/hosts'), '127.0.0.1 localhost\n');
}

/** Base and gateway: what the image holds. */
export function composeRoot(folder: string): void {
  composeBase(folder);
  cpSync(GATEWAY_FILES, path.join(folder, APP), { recursive: true });
}

/** Shared libraries and the loader, as the loader itself finds them. */
function librariesOf(program: string): string[] {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

/** Files under a folder with their sizes, by their path in it. */
export function filesOf(folder: string): ReadonlyMap<string, number> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const stats = names.map((name) => [name, statSync(path.join(folder, name))] as const);
  return new Map(stats.flatMap(([name, stat]) => (stat.isFile() ? [[name, stat.size]] : [])));
}
