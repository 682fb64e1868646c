/** The deployed bundles in this process, over a table of DynamoDB Local: for benches of single functions. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileFunction, constants } from 'node:vm';
import { functionFolder } from '#cdk/dist.ts';
import { LOCAL_AWS_ENVIRONMENT } from '#cdk/local/local-aws.ts';
import type { FunctionName } from '#cdk/system.ts';
import { INSTRUCTION_SECRET } from '#test/support/fake-gateway.ts';
import { VAULT_KEY } from '#test/support/secrets.ts';

export type Handler = (event: unknown) => Promise<unknown>;

let instances = 0;

/** Node's own import, under vitest too: the bundles are what they are and need no transformation. */
const importNatively = compileFunction('return import(specifier)', ['specifier'], {
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});

/**
 * Loads a function as a cold start does: with empty caches.
 * @param endpoint of DynamoDB Local, or what stands before it
 */
export async function loadFunction(name: FunctionName, endpoint: string, tableName: string): Promise<Handler> {
  const secrets = { NONCE_SECRET: 'nonce-s3cret', INSTRUCTION_SECRET, VAULT_SECRET: VAULT_KEY };
  const settings = { TABLE_NAME: tableName, DYNAMODB_ENDPOINT: endpoint, LOG_LEVEL: 'silent' };
  Object.assign(process.env, LOCAL_AWS_ENVIRONMENT, secrets, settings);
  instances += 1;
  const file = pathToFileURL(path.join(functionFolder(name), 'index.mjs'));
  const { handler } = await importNatively(`${file.href}?instance=${instances}`);
  return handler;
}
