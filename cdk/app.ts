/** CDK app: `npx cdk synth`, `npx cdk deploy --all`. */
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { deploy } from './stacks/deployment.ts';
import { readSettings } from './stacks/settings.ts';

const app = new App();
deploy(
  app,
  readSettings((name) => app.node.tryGetContext(name)),
  join(import.meta.dirname, '..'),
);
