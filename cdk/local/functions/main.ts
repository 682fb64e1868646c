/** Process `lampfield-functions`: every function of the system behind the Lambda Invoke API. */
import { once } from 'node:events';
import path from 'node:path';
import { functionFolder } from '#cdk/dist.ts';
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName, ROTATION } from '#cdk/system.ts';
import { FunctionHost } from './host.ts';
import { createInvokeApi } from './invoke-api.ts';

process.title = 'lampfield-functions';

/** Nothing keeps secrets in versions on one machine; the canary is there if somebody wants it. */
const isHosted = (name: FunctionName): boolean =>
  name === 'canary' ? process.env.CANARY_GATEWAY_URL !== undefined : name !== ROTATION.function;
const hosts = new Map(
  FUNCTION_NAMES.filter(isHosted).map((name) => {
    const { timeoutSeconds, memoryMb } = FUNCTIONS[name];
    const functionName = `lampfield-${name}`;
    const modulePath = path.join(functionFolder(name), 'index.mjs');
    return [functionName, new FunctionHost({ functionName, describedAs: name, modulePath, timeoutSeconds, memoryMb })];
  }),
);
const server = createInvokeApi(hosts);
await once(server.listen(Number(process.env.LAMBDA_PORT ?? '9001'), '127.0.0.1'), 'listening');

process.once('SIGTERM', () => process.exit(0));
