/** CDK app: `npx cdk synth`, `npx cdk deploy --all`. */
import { App } from 'aws-cdk-lib';
import { ROOT } from './dist.ts';
import { deploy } from './stacks/deployment.ts';
import { checkSecurity } from './stacks/security-checks.ts';
import { readSettings } from './stacks/settings.ts';

const app = new App();
const settings = readSettings((name) => app.node.tryGetContext(name));
checkSecurity(app, deploy(app, settings, ROOT));
