/** What is saved of a table stands again in an empty system, as after the loss of all gateways. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '#cdk/dist.ts';
import { TABLE_NAME } from '#cdk/local/processes.ts';
import { createVault } from '#core/sealed-text.ts';
import { publish } from '#roles/compositor.ts';
import { subscribe } from '#roles/notifier.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { localTenants, seedItems } from '#table/seed-items.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { dialogElement, dialogInfo, publishOf, subscribeOf } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { TEST_SECRETS, VAULT_KEY } from '#test/support/secrets.ts';
import * as wire from '#test/support/sip-client.ts';
import { createListFinder, createWatchRulesFinder } from '../../lambdas/handlers/request-ports.ts';

const run = promisify(execFile);
const folder = mkdtempSync(path.join(tmpdir(), 'lampfield-backup-'));
const file = path.join(folder, 'table.jsonl');

/** @returns what the command says */
async function backup(command: 'save' | 'load', table: string, endpoint: string, ...more: string[]): Promise<string> {
  const args = ['--table', table, '--endpoint', endpoint, '--file', file, ...more];
  return (await run(process.execPath, [path.join(ROOT, 'cdk/backup/main.ts'), command, ...args])).stdout.trim();
}
const load = (...more: string[]): Promise<string> => backup('load', TABLE_NAME, empty.dynamoDbEndpoint, ...more);

let empty: LocalStack;
let etag: string;
let saved: string;

/** A tenant with people, a lamp that is red for long and one that blinks for some seconds more, and somebody who watches. */
async function fill(started: TestTable): Promise<string> {
  const table = openDynamoDbTable(started);
  const [tenant] = localTenants(12);
  for (const item of tenant === undefined ? [] : seedItems(tenant, createVault(VAULT_KEY, randomBytes)))
    await table.put(item);
  const loaders = { loadUser: async () => undefined, loadTenant: (domain: string) => loadTenant(table, domain) };
  const finders = { findList: createListFinder(table), findWatchRules: createWatchRulesFinder(table) };
  const ports = { table, randomBytes, chance: () => 0, ...finders, ...TEST_SECRETS, ...loaders };
  const show = (user: string, state: string, expires: number) => {
    const body = dialogInfo(dialogElement('1', state));
    return publish(publishOf({ presentity: `sip:${user}@demo.example`, body, expires }), ports, Date.now());
  };
  await subscribe(subscribeOf({ to: 'sip:1002@demo.example' }), ports, Date.now());
  const { response } = await show('1002', 'confirmed', 600);
  await show('1003', 'early', 20);
  table.close();
  return response.headers.find(([name]) => name === 'SIP-ETag')?.[1] ?? '';
}

beforeAll(async () => {
  const lost = await startTable();
  etag = await fill(lost);
  saved = await backup('save', lost.tableName, lost.endpoint);
  await lost.stop();
  empty = await startStack({ args: ['--tenants', '0'] });
});
afterAll(async () => {
  await empty?.stop();
  rmSync(folder, { recursive: true });
});

describe('a table that is lost', () => {
  it('is a file that only its owner reads, one item a line', () => {
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(saved).toBe(`${lines.length} items`);
    expect(lines.length).toBeGreaterThan(18);
    for (const line of lines) expect(JSON.parse(line).PK).toEqual({ S: expect.any(String) });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('stands again: who could sign in can, lamps are as they were, and publishers go on with them', async () => {
    expect(await load()).toBe(saved);
    const watcher = await wire.SipClient.connect(empty.url(), '1001');
    const red = await watcher.subscribe('1002');
    expect(red.notifies().flatMap(wire.dialogStates)).toEqual(['confirmed']);
    const list = await watcher.subscribe('blf-all', { headers: ['Supported: eventlist'] });
    expect(list.answer.header('require')).toBe('eventlist');
    const pbx = await wire.SipClient.connect(empty.url(), 'pbx');
    const body = wire.dialogInfo('sip:1002@demo.example', { id: '1', callId: 'call-1', state: 'terminated' });
    const since = watcher.received.length;
    expect((await pbx.publish('1002', body, { ifMatch: etag })).status).toBe(200);
    await red.nextNotify('>terminated</state>', { since, timeoutMs: 20_000 });
  });

  it('goes out when its time has come, though nobody publishes any more', async () => {
    const watcher = await wire.SipClient.connect(empty.url(), '1004');
    const blinking = await watcher.subscribe('1003');
    await blinking.nextNotify('>terminated</state>', { since: 0, timeoutMs: 75_000 });
  });

  it('is not put over what stands, unless that is wanted', async () => {
    expect(await load()).toBe('0 items');
    expect(await load('--overwrite')).toBe(saved);
  });
});
