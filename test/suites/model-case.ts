/** One case of the model test, and many of them. */
import fc from 'fast-check';
import type { Table } from '#table/table.ts';
import { requireCounting, requireLamps } from './model-checks.ts';
import { Cast, type Plan, plan } from './model-commands.ts';
import { World } from './model-world.ts';

export interface Cases {
  readonly runs: number;
  readonly seed?: number;
  /** Where a failure was found: that case alone, as it was shrunk. */
  readonly path?: string | undefined;
  /** The first case that fails is told as it is; looking for a smaller one takes its time. */
  readonly isFirstEnough?: boolean;
  /** A table for each case, or a part of one that it has for itself by its users' names. */
  readonly openTable: () => { readonly table: Table; readonly names: string };
  readonly onCase?: () => void;
}

/**
 * Runs random cases and shrinks the first that fails.
 * @returns how many of them proved nothing, because the table did not answer in time
 * @throws with seed, path and the smallest case that fails
 */
export async function runCases({ runs, seed, path, isFirstEnough = false, openTable, onCase }: Cases): Promise<number> {
  let wasted = 0;
  const property = fc.asyncProperty(plan, async (given) => {
    const { table, names } = openTable();
    if (!(await runCase(given, table, names))) wasted += 1;
    onCase?.();
  });
  const begin = { ...(seed !== undefined && { seed }), ...(path !== undefined && { path }) };
  await fc.assert(property, { numRuns: runs, endOnFailure: isFirstEnough, ...begin });
  return wasted;
}

/**
 * Runs one case.
 * @returns false when it proves nothing, because the table did not answer in time
 */
export async function runCase(given: Plan, table: Table, names: string): Promise<boolean> {
  const world = new World(table, given.order, given.isEager);
  const cast = new Cast(world, given, names);
  try {
    for (const step of given.commands) await cast.run(step);
    await end(world, cast);
  } catch (error) {
    if (!world.table.hasFailed) throw error;
    return false;
  }
  return true;
}

/** Everything on its way arrives; then everyone comes back; then all that was published runs out. */
async function end(world: World, cast: Cast): Promise<void> {
  await world.settle();
  for (const watcher of cast.watchers) {
    watcher.answers = 200;
    watcher.answerHeld();
  }
  await world.drain();
  // Timer F lets go of the NOTIFYs that were never answered.
  await world.pass(33_000);
  await world.drain();
  requireLamps(world, cast, true);

  for (const watcher of cast.watchers) {
    if (!watcher.isConnected) watcher.connect(0, true);
    world.start(watcher.subscribe(7_200, false));
  }
  await world.drain();
  requireLamps(world, cast, true);

  await world.pass(700_000);
  await world.drain();
  requireLamps(world, cast, true);
  for (const watcher of cast.watchers) requireCounting(watcher);
}
