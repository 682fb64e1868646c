/** Synthesizes a deployment in memory and counts what it holds. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { App } from 'aws-cdk-lib';
import { ROOT } from '#cdk/dist.ts';
import { deploy } from '#cdk/stacks/deployment.ts';
import { readSettings } from '#cdk/stacks/settings.ts';
import { type Inventory, inventoryOf } from './inventory.ts';

/** @param root the built repository */
export function inventoryOfDeployment(stage: 'dev' | 'prod', root = ROOT): Inventory {
  const outdir = mkdtempSync(path.join(tmpdir(), 'lampfield-cost-'));
  try {
    const { context } = JSON.parse(readFileSync(path.join(ROOT, 'cdk.json'), 'utf8'));
    const app = new App({ context, outdir, analyticsReporting: false });
    deploy(
      app,
      readSettings((name) => (name === 'stage' ? stage : undefined)),
      root,
    );
    return inventoryOf(app.synth().stacks.map((stack) => stack.template));
  } finally {
    rmSync(outdir, { recursive: true });
  }
}
