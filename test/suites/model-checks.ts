/** What the model test asserts of every watcher. */
import assert from 'node:assert/strict';
import type { Cast } from './model-commands.ts';
import { lampsOf } from './model-lamps.ts';
import type { Told, Watcher, WatcherDialog } from './model-watcher.ts';
import type { World } from './model-world.ts';

/**
 * Whoever can have been told everything shows the lamps of the model.
 * @param isSettled timer F is over: who left a NOTIFY unanswered has been told what came after it, too
 */
export function requireLamps(world: World, { watchers, published }: Cast, isSettled = false): void {
  for (const watcher of watchers) {
    for (const dialog of watcher.dialogs) requireReplacedEnded(dialog, world.nowMs);
    const { living } = watcher;
    const isTold = isSettled ? watcher.isConnected : watcher.isUpToDate;
    if (!isTold || living === undefined) continue;
    const lamps = lampsOf(published[watcher.presentity] ?? [], world.nowMs);
    assert.deepEqual(living.told.at(-1)?.lamps, lamps, `lamps of ${living.callId}`);
  }
}

/** A subscription that the device has replaced ends with a last word, wherever it is held. */
function requireReplacedEnded(dialog: WatcherDialog, nowMs: number): void {
  if (!dialog.isReplaced || dialog.askedOn?.isAlive !== true || dialog.mayBeGone(nowMs)) return;
  const last = dialog.told.at(-1)?.subscriptionState;
  assert.match(last ?? '', /^terminated/, `last NOTIFY of the replaced ${dialog.callId}`);
}

/** CSeq and document version by one from NOTIFY to NOTIFY of a gateway, up from gateway to gateway; states never back. */
export function requireCounting(watcher: Watcher): void {
  for (const { told, written, callId } of watcher.dialogs) {
    for (const [n, one] of told.entries()) requireLater(one, told[n - 1], `NOTIFY ${n} of ${callId}`);
    written.forEach((one, n) => {
      const before = written[n - 1];
      if (before === undefined || before.gateway !== one.gateway || one.mayJump) return;
      const step = [one.cseq - before.cseq, one.documentVersion - before.documentVersion];
      assert.deepEqual(step, [1, 1], `step to NOTIFY ${n} of ${callId}`);
    });
    assert.equal(written[0]?.documentVersion ?? 0, 0, `first version of ${callId}`);
  }
}

function requireLater(one: Told, before: Told | undefined, what: string): void {
  if (before === undefined) return;
  assert.ok(one.stateVersion >= before.stateVersion, `the state goes back in ${what}`);
  assert.ok(one.cseq > before.cseq, `CSeq of ${what}`);
  assert.ok(one.documentVersion > before.documentVersion, `document version of ${what}`);
  assert.match(before.subscriptionState, /^active/, `NOTIFY before ${what}`);
}
