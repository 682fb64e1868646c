/**
 * Freezes the contract of a release: `node test/contract/freeze.ts`. From then on later gateways and functions are held
 * against it, until nothing runs that old any more. Done once a release that changes the contract.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { CONTRACT_VERSION, MESSAGE_NAMES, messagesOf } from './messages.ts';

const folder = path.join(import.meta.dirname, `../vectors/contract/v${CONTRACT_VERSION}`);
await mkdir(folder, { recursive: true });
const messages = Object.fromEntries(MESSAGE_NAMES.map((name) => [name, messagesOf(name)]));
await writeFile(path.join(folder, 'messages.json'), `${JSON.stringify(messages)}\n`);
await build({
  stdin: {
    contents: "export { SCHEMAS } from './messages.ts'; export { safeParse } from 'valibot';",
    resolveDir: import.meta.dirname,
    loader: 'ts',
  },
  ...{ bundle: true, minify: true, format: 'esm', platform: 'node', outfile: path.join(folder, 'schemas.mjs') },
});
