/** Noisy neighbour: how late the lamps of one tenant are while another one storms, within quotas and without. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { GivenQuotas } from '#table/tenant-quotas.ts';
import type { LocalStack } from '#test/support/local-stack.ts';
import { Lamp } from './latency.ts';
import { type Quantiles, quantiles } from './process-usage.ts';
import type { StormOrder, StormReport } from './storm.ts';

export interface NeighbourResult {
  readonly quiet: Quantiles;
  readonly storms: readonly StormResult[];
}

export interface StormResult {
  readonly quotas: string;
  readonly lamps: Quantiles;
  /** Changes of the quiet tenant that were refused or never arrived. */
  readonly failed: number;
  readonly storm: StormReport;
}

const NOISY = 'acme.example';
/** A small company; what it sends is a multiple of it. */
const SMALL: GivenQuotas = { flows: 30, subscriptions: 50, requestsPerSecond: 10, publicationsPerSecond: 5 };
const PHASES = [
  { quotas: 'small quotas', given: SMALL },
  { quotas: 'default quotas', given: {} },
] as const;
const WARM_UP = 20;
const MAX_STORM_MS = 60_000;
const STORM = { flows: 20, publishesPerSecond: 200, subscribesPerSecond: 100, connectsPerSecond: 10 };

/** @param changes of the quiet tenant's lamp in each phase */
export async function measureNeighbour(stack: LocalStack, changes: number): Promise<NeighbourResult> {
  const lamp = await Lamp.open(stack);
  await lamp.sample(WARM_UP);
  const quiet = quantiles(await lamp.sample(changes));
  const storms: StormResult[] = [];
  for (const { quotas, given } of PHASES) {
    await setQuotas(stack, given);
    storms.push({ quotas, ...(await duringStorm(stack, lamp, changes)) });
  }
  await lamp.close();
  return { quiet, storms };
}

async function duringStorm(stack: LocalStack, lamp: Lamp, changes: number) {
  const child = fork(path.join(import.meta.dirname, 'storm.ts'));
  const order: StormOrder = { url: stack.url(), domain: NOISY, ...STORM };
  child.send(order);
  await once(child, 'message');
  child.send('rage');
  const samples: number[] = [];
  let failed = 0;
  const endMs = performance.now() + MAX_STORM_MS;
  while (samples.length + failed < changes && performance.now() < endMs) {
    const sample = await lamp.sample(1).catch(() => undefined);
    if (sample === undefined) failed++;
    else samples.push(...sample);
  }
  child.send('end');
  const [storm] = (await once(child, 'message')) as [StormReport];
  return { lamps: quantiles(samples), failed, storm };
}

/** Everything else of the tenant stays. */
async function setQuotas({ apiUrl }: LocalStack, quotas: GivenQuotas): Promise<void> {
  const url = `${apiUrl}/tenants/${NOISY}`;
  const headers = { authorization: 'Bearer local-admin-key', 'content-type': 'application/json' };
  const known = (await (await fetch(url, { headers })).json()) as Record<string, unknown>;
  const { displayName, policy, signIn, watch } = known;
  const body = JSON.stringify({ displayName, policy, signIn, watch, quotas });
  const response = await fetch(url, { method: 'PUT', headers, body });
  if (!response.ok) throw new Error(`the quotas of ${NOISY}: ${response.status} ${await response.text()}`);
}
