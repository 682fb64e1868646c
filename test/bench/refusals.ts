/** How long the HTTP API takes to refuse for a name that somebody has and for one that nobody has: they must not differ. */
import type { LocalStack } from '#test/support/local-stack.ts';
import { createKey, unlimitApi } from './operator.ts';
import { median } from './process-usage.ts';

const OWN = 'demo.example';
const PAIRS = 500;
const WARM_UP = 100;

export interface RefusalTimes {
  readonly what: string;
  readonly status: number;
  /** Median milliseconds. */
  readonly existingMs: number;
  readonly missingMs: number;
}

interface Asked {
  readonly path: string;
  readonly key: string;
}

/** Both names in turn, so that a busy machine is so for both. @throws {Error} when the answers differ in status or length */
export async function measureRefusals({ apiUrl }: LocalStack): Promise<RefusalTimes[]> {
  await unlimitApi(apiUrl, OWN);
  const key = await createKey(apiUrl, OWN, 'read');
  const forged = `${key.slice(0, -8)}${'A'.repeat(8)}`;
  const unknown = forged.replace(/^lf_[0-9a-f]{12}/, 'lf_000000000000');
  const users = `/tenants/${OWN}/users`;
  const cases: { what: string; existing: Asked; missing: Asked }[] = [
    {
      what: 'another tenant',
      ...{ existing: { path: '/tenants/acme.example', key }, missing: { path: '/tenants/nobo.example', key } },
    },
    {
      what: 'a user of another tenant',
      existing: { path: '/tenants/acme.example/users/1001', key },
      missing: { path: '/tenants/acme.example/users/9999', key },
    },
    { what: 'a key', existing: { path: users, key: forged }, missing: { path: users, key: unknown } },
  ];
  const times: RefusalTimes[] = [];
  for (const { what, existing, missing } of cases) times.push({ what, ...(await compare(apiUrl, existing, missing)) });
  return times;
}

async function compare(apiUrl: string, existing: Asked, missing: Asked) {
  const [ofExisting, ofMissing]: [number[], number[]] = [[], []];
  let told = '';
  for (let pair = -WARM_UP; pair < PAIRS; pair++) {
    const one = await refusal(apiUrl, existing);
    const other = await refusal(apiUrl, missing);
    told = one.told;
    if (one.told !== other.told) throw new Error(`the refusals differ: ${one.told} and ${other.told}`);
    if (pair < 0) continue;
    ofExisting.push(one.ms);
    ofMissing.push(other.ms);
  }
  return { status: Number.parseInt(told, 10), existingMs: median(ofExisting), missingMs: median(ofMissing) };
}

async function refusal(apiUrl: string, { path, key }: Asked): Promise<{ told: string; ms: number }> {
  const startedMs = performance.now();
  const response = await fetch(`${apiUrl}${path}`, { headers: { authorization: `Bearer ${key}` } });
  const text = await response.text();
  const ms = performance.now() - startedMs;
  if (response.ok || response.status === 429) throw new Error(`${path} was answered ${response.status}`);
  return { told: `${response.status} ${text.length}`, ms };
}
