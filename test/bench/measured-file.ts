/** Keeps what was measured where the cost model reads it. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '#cdk/dist.ts';

const FILE = path.join(ROOT, 'cdk/cost/measured.json');

/** @param part of the file that the bench of this name measures */
export function keepMeasured(part: 'units' | 'functions', measured: object): void {
  const file = JSON.parse(readFileSync(FILE, 'utf8'));
  const command = `npm run bench -- ${part} --write`;
  writeFileSync(FILE, `${JSON.stringify({ ...file, [part]: { command, ...measured } }, null, 2)}\n`);
  spawnSync('biome', ['format', '--write', FILE], { cwd: ROOT });
}
