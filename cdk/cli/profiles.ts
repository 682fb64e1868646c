/** The file that keeps where the deployments are and with which keys: `~/.config/lampfield/config.json`, for its owner only. */
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import * as v from 'valibot';
import { usageFailure } from './failure.ts';

const profile = v.object({
  /** Of the HTTP API, with `/v1`. */
  url: v.string(),
  key: v.string(),
  /** WebSocket URL of the gateways. */
  gateway: v.optional(v.string()),
  /** Tenant of commands that name none. */
  tenant: v.optional(v.string()),
});
export type Profile = v.InferOutput<typeof profile>;

const configuration = v.object({
  current: v.optional(v.string()),
  profiles: v.optional(v.record(v.string(), profile), {}),
});
export type Configuration = v.InferOutput<typeof configuration>;

export function configurationFile(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CONFIG_HOME || path.join(env.HOME || homedir(), '.config');
  return path.join(base, 'lampfield', 'config.json');
}

/** @throws {CliFailure} when the file is not one of ours */
export function readConfiguration(file: string): Configuration {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return { profiles: {} };
  }
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), configuration), text);
  if (result.success) return result.output;
  throw usageFailure(`${file} cannot be understood.`, 'Mend it, or remove it and run lampfield login.');
}

/** Whole or not at all, and never readable for others, not even for a moment. */
export function writeConfiguration(file: string, value: Configuration): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  chmodSync(next, 0o600);
  renameSync(next, file);
}
