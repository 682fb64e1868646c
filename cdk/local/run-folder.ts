/** Where a run of the local stack keeps its files: in the folder of `--data`, or in temporary ones that end with it. */
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A file system in memory doubles the writes per second of DynamoDB Local. */
const MEMORY_FOLDER = '/dev/shm';
const MEMORY_NEEDED_BYTES = 512 * 1024 * 1024;
const PREFIX = 'lampfield-run-';

export interface RunFolder {
  readonly folder: string;
  readonly databaseFolder: string;
  readonly logFolder: string;
  /** Removes what is temporary. */
  close(): void;
}

/** @throws {Error} when another running stack uses the folder */
export function openRunFolder(data: string | undefined): RunFolder {
  removeOrphans();
  return data === undefined ? openTemporary() : openLasting(path.resolve(data));
}

function openLasting(folder: string): RunFolder {
  const lock = path.join(folder, 'lampfield.pid');
  mkdirSync(folder, { recursive: true });
  const owner = readOwner(lock);
  if (owner !== undefined && isAlive(owner)) {
    throw new Error(
      `${folder} is in use by another local stack (process ${owner}). Choose another folder with --data.`,
    );
  }
  writeFileSync(lock, String(process.pid));
  return { folder, ...subfolders(folder, folder), close: () => rmSync(lock, { force: true }) };
}

function openTemporary(): RunFolder {
  const folder = mkdtempSync(path.join(tmpdir(), `${PREFIX}${process.pid}-`));
  const memory = hasRoomInMemory() ? mkdtempSync(path.join(MEMORY_FOLDER, `${PREFIX}${process.pid}-`)) : folder;
  const close = () => {
    for (const one of [folder, memory]) rmSync(one, { recursive: true, force: true });
  };
  return { folder, ...subfolders(folder, memory), close };
}

function subfolders(folder: string, databaseParent: string) {
  const logFolder = path.join(folder, 'logs');
  const databaseFolder = path.join(databaseParent, 'dynamodb');
  rmSync(logFolder, { recursive: true, force: true });
  for (const one of [logFolder, databaseFolder]) mkdirSync(one, { recursive: true });
  return { logFolder, databaseFolder };
}

function hasRoomInMemory(): boolean {
  try {
    accessSync(MEMORY_FOLDER, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
    return bavail * bsize >= MEMORY_NEEDED_BYTES;
  } catch {
    return false;
  }
}

/** Temporary folders of stacks that were killed. */
function removeOrphans(): void {
  for (const parent of [tmpdir(), MEMORY_FOLDER]) {
    for (const name of listFolder(parent)) {
      const owner = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1] ?? Number.NaN);
      if (owner > 0 && !isAlive(owner)) rmSync(path.join(parent, name), { recursive: true, force: true });
    }
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readOwner(lock: string): number | undefined {
  try {
    const owner = Number(readFileSync(lock, 'utf8'));
    return owner > 0 && owner !== process.pid ? owner : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
