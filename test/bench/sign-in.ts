/** What a refused sign-in costs for a name that somebody has and for one that nobody has: they must not differ. */

import { authenticate } from '#roles/authenticator.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { openFailureBook } from '#table/failure-book.ts';
import { seedItems } from '#table/seed-items.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { loadUser, openHa1 } from '#table/user-item.ts';
import { authorizationOf, envelopeOf, T0 } from '#test/support/envelope.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';
import { TEST_SECRETS, TEST_VAULT } from '#test/support/secrets.ts';
import { createRequestHandler } from '../../lambdas/handlers/request-handler.ts';

const DOMAIN = 'demo.example';
const ROUNDS = 40;
const REQUESTS_A_ROUND = 250;

export interface SignInCosts {
  /** Median microseconds for each refusal. */
  readonly wrongPasswordMicros: number;
  readonly unknownUserMicros: number;
  /** Of opening the stored credentials. */
  readonly openMicros: number;
}

/** Rounds of both alternate, so that a busy machine is so for both. */
export async function measureSignIn(): Promise<SignInCosts> {
  const table = openMemoryTable();
  const tenant = { domain: DOMAIN, passwordPrefix: 'demo', users: 5, publishers: [], policy: {} };
  for (const item of seedItems(tenant, TEST_VAULT)) await table.put(item);
  const ports = {
    ...TEST_SECRETS,
    // Each guess from an address of its own, so that none has to wait.
    failures: openFailureBook(table),
    loadTenant: (domain: string) => loadTenant(table, domain),
    loadUser: (domain: string, user: string) => loadUser(table, domain, user),
  };
  const decide = createRequestHandler(
    'bench',
    async (envelope, nowMs) => {
      await authenticate(envelope, ports, nowMs);
      throw new Error('a wrong password was taken');
    },
    createTelemetry('silent'),
    () => T0,
  );
  let guess = 0;
  const envelopes = (user: string) =>
    Array.from({ length: REQUESTS_A_ROUND }, () => {
      const from = `sip:${user}@${DOMAIN}`;
      const about = { method: 'REGISTER', uri: `sip:${DOMAIN}`, realm: DOMAIN, nonce: 'n'.repeat(32) };
      const authorization = authorizationOf({ ...about, username: user, password: `wrong-${guess++}` });
      const envelope = envelopeOf({ method: 'REGISTER', from, headers: [['Authorization', authorization]] });
      return { ...envelope, sourceAddress: `10.${guess >> 16}.${(guess >> 8) & 255}.${guess & 255}` };
    });
  const round = async (user: string): Promise<number> => {
    const batch = envelopes(user);
    const startedMs = performance.now();
    for (const envelope of batch) await decide({ contractVersion: 1, envelopes: [envelope] });
    return ((performance.now() - startedMs) * 1_000) / batch.length;
  };
  const [wrong, unknown]: [number[], number[]] = [[], []];
  for (let n = 0; n < ROUNDS; n++) {
    wrong.push(await round('1001'));
    unknown.push(await round('9999'));
  }
  const user = await loadUser(table, DOMAIN, '1001');
  if (user === undefined) throw new Error('no user');
  const startedMs = performance.now();
  for (let n = 0; n < 10_000; n++) openHa1(TEST_VAULT, user);
  const openMicros = (performance.now() - startedMs) / 10;
  return { wrongPasswordMicros: median(wrong), unknownUserMicros: median(unknown), openMicros };
}

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
