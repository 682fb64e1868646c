/** Spoilt messages through gateway and functions in one process: whatever comes in, no answer is a defect's. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Identity } from '#contract/schemas.ts';
import { Chance } from '#test/support/chance.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';
import type { ReceivedMessage } from '#test/support/sip-client.ts';
import { isDefect } from './fuzz-answers.ts';
import { type Speaker, soundMessage } from './fuzz-corpus.ts';
import { spoilMessage } from './fuzz-mutation.ts';
import { World } from './model-world.ts';

const ALICE: Identity = { domain: 'demo.example', user: '1001', role: 'publisher' };
const SPEAKER: Speaker = { aor: 'sip:1001@demo.example', domain: ALICE.domain, dialogs: [] };
const MESSAGES_A_CASE = 20;

/** Sends spoilt messages on one flow and gives what it answered. */
async function talk(seed: number): Promise<readonly ReceivedMessage[]> {
  const chance = new Chance(seed);
  const world = new World(openMemoryTable(), seed);
  const answers: ReceivedMessage[] = [];
  const gateway = world.gateway(0);
  const flow = gateway.open(ALICE, (message) => answers.push(message));
  for (let n = 0; n < MESSAGES_A_CASE; n++) {
    const text = spoilMessage(soundMessage(SPEAKER, chance), chance, soundMessage(SPEAKER, chance));
    gateway.receive(flow, Buffer.from(text, 'latin1'), chance.happens(50));
    await world.traffic.overlap();
  }
  await world.rest();
  await world.deliverRecords(0, 1_000, undefined);
  return answers;
}

test('no spoilt message is answered as a defect, or stops the one behind it', async () => {
  const statuses = new Map<number, number>();
  const property = fc.asyncProperty(fc.integer(), async (seed) => {
    const answers = await talk(seed);
    expect(answers.filter(isDefect).map(({ text }) => text)).toEqual([]);
    for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  });
  await fc.assert(property, { numRuns: Number(process.env.FUZZ_RUNS ?? 60), seed: 4475 });
  // They get through to the functions, too: some are done, some are refused there.
  for (const status of [200, 400, 415, 489]) expect(statuses.get(status) ?? 0, `answers ${status}`).toBeGreaterThan(0);
});
