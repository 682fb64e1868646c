/** TCP ports for the servers that tests start, chosen before those servers run. */
import { isPortTaken } from '#cdk/local/ports.ts';

/**
 * Below the range from which kernels take the local port of an outgoing connection (from 32768 on Linux, from 49152
 * elsewhere): a port of that range is free when it is looked at and may be some client's when the server binds it.
 */
const FIRST = 12_000;
const PORTS_PER_WORKER = 2_000;
const WORKERS = 10;

const { VITEST_POOL_ID = '0' } = process.env;
const worker = Number(VITEST_POOL_ID) % WORKERS;
const first = FIRST + worker * PORTS_PER_WORKER;
let next = Math.floor(Math.random() * PORTS_PER_WORKER);

/** A port that nothing listens on, which no other test of this run is given. */
export function freePort(): Promise<number> {
  return freePortRange(1);
}

/** The first of `count` successive free ports. */
export async function freePortRange(count: number): Promise<number> {
  for (let tried = 0; tried < PORTS_PER_WORKER; tried += count) {
    if (next + count > PORTS_PER_WORKER) next = 0;
    const port = first + next;
    next += count;
    const taken = await Promise.all(Array.from({ length: count }, (_, index) => isPortTaken(port + index)));
    if (!taken.includes(true)) return port;
  }
  throw new Error(`no ${count} successive free ports from ${first} to ${first + PORTS_PER_WORKER}`);
}
