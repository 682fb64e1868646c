/**
 * Gateways and functions of different releases work together, as they must while a deployment replaces one after the other,
 * and when it is taken back.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { instruction, instructionBatch } from '#contract/instruction.ts';
import { outcomeBatch } from '#contract/outcome.ts';
import { CONTRACT_VERSION, MESSAGE_NAMES, type MessageName, messagesOf, SCHEMAS, VERSIONED } from './messages.ts';

type Parsed = { readonly success: boolean; readonly output: unknown; readonly issues?: readonly unknown[] };
interface Release {
  readonly SCHEMAS: Readonly<Record<MessageName, v.GenericSchema>>;
  readonly safeParse: (schema: v.GenericSchema, input: unknown) => Parsed;
}

const RELEASED = path.join(import.meta.dirname, '../vectors/contract');
const versions = readdirSync(RELEASED);

it('a release is held against that has today’s version: another one comes with a release that reads both', () => {
  expect(versions).toContain(`v${CONTRACT_VERSION}`);
});

describe.each(versions)('release %s', async (version) => {
  const folder = path.join(RELEASED, version);
  const released: Release = await import(path.join(folder, 'schemas.mjs'));
  const messages: Record<string, unknown[]> = JSON.parse(readFileSync(path.join(folder, 'messages.json'), 'utf8'));
  const then = (name: MessageName, message: unknown): Parsed => released.safeParse(released.SCHEMAS[name], message);
  const today = (name: MessageName, message: unknown): Parsed => v.safeParse(SCHEMAS[name] as v.GenericSchema, message);

  const kinds = kindsOf(messages.instructionBatch ?? []);

  it.each(MESSAGE_NAMES)('%s: what it writes is read today, and nothing of it is lost', (name) => {
    expect(messages[name]?.length).toBeGreaterThan(1);
    for (const message of messages[name] ?? []) {
      const read = today(name, message);
      expect(read.issues).toBeUndefined();
      expect(read.output).toMatchObject(then(name, message).output as object);
    }
  });

  it.each(MESSAGE_NAMES)('%s: what is written today is read by it, without what it does not know', (name) => {
    for (const message of messagesOf(name)) {
      const read = then(name, message);
      expect(read.issues).toBeUndefined();
      expect(ofKinds(today(name, message).output, kinds)).toMatchObject(read.output as object);
    }
  });
});

const instructionsOf = v.object({ instructions: v.array(v.looseObject({ kind: v.string() })) });

function kindsOf(batches: readonly unknown[]): Set<string> {
  return new Set(batches.flatMap((batch) => v.parse(instructionsOf, batch).instructions.map(({ kind }) => kind)));
}

/** Without the instructions that a release passes over because it does not know their kind. */
function ofKinds(value: unknown, kinds: ReadonlySet<string>): unknown {
  return JSON.parse(JSON.stringify(value), (name, each) =>
    name === 'instructions' ? each.filter(({ kind }: { kind: string }) => kinds.has(kind)) : each,
  );
}

describe('what is newer than its reader', () => {
  it('is passed over where it is a field, or a kind of instruction among others', () => {
    const [known] = v.parse(v.array(v.unknown()), messagesOf('instructionBatch'));
    const batch = v.parse(v.looseObject({ instructions: v.array(v.unknown()) }), known);
    const newer = { kind: 'fromTheFuture', what: 1 };
    const mixed = { ...batch, colour: 'green', instructions: [newer, ...batch.instructions, newer] };
    expect(v.parse(instructionBatch, mixed)).toEqual(v.parse(instructionBatch, batch));
    const outcome = { response: { status: 200, reason: 'OK', headers: [], mood: 'good' }, instructions: [newer] };
    const read = v.parse(outcomeBatch, { contractVersion: CONTRACT_VERSION, outcomes: [outcome] });
    expect(read.outcomes).toEqual([{ response: { status: 200, reason: 'OK', headers: [] }, instructions: [] }]);
  });

  it('does not hide what is wrong: an instruction without a kind, or with one that is known and broken', () => {
    const batch = { contractVersion: CONTRACT_VERSION, gatewayId: 'g' };
    for (const broken of [{}, 'x', null, { kind: 'notify' }])
      expect(v.safeParse(instructionBatch, { ...batch, instructions: [broken] }).success).toBe(false);
  });
});

describe('another version of the contract', () => {
  it.each(Object.keys(VERSIONED) as (keyof typeof VERSIONED)[])('%s: is refused as a whole', (name) => {
    const schema = VERSIONED[name] as v.GenericSchema;
    const whole = name === 'requestBatch' ? { envelopes: [{}] } : messagesOf(name)[0];
    const message = Object.assign({}, whole, { contractVersion: CONTRACT_VERSION });
    expect(v.safeParse(schema, message).success).toBe(true);
    for (const contractVersion of [CONTRACT_VERSION + 1, CONTRACT_VERSION - 1, undefined])
      expect(v.safeParse(schema, { ...message, contractVersion }).success).toBe(false);
  });
});

describe('the examples', () => {
  it('have every kind of instruction, with and without what may be left out', () => {
    const batches = messagesOf('instructionBatch') as { instructions: { kind: string }[] }[];
    const kinds = instruction.options.map(({ entries }) => entries.kind.literal);
    expect(new Set(batches.flatMap(({ instructions }) => instructions.map(({ kind }) => kind)))).toEqual(
      new Set(kinds),
    );
    const notifies = batches.flatMap(({ instructions }) => instructions.filter(({ kind }) => kind === 'notify'));
    expect(notifies.some((each) => 'instance' in each)).toBe(true);
    expect(notifies.some((each) => !('instance' in each))).toBe(true);
  });
});
