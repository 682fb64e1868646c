/** The dialogs of a presentity as watchers of the dialog package see them, by rendering profile. Pure. */
import { type Dialog, isLive } from './dialog.ts';
import { renderDialogInfo } from './dialog-info.ts';
import type { ComposedState } from './event-package.ts';
import { dialogsFingerprint } from './presentity.ts';
import { applyProfile } from './rendering-profile.ts';

/** @param dialogs all that there is to show */
export function dialogView(dialogs: readonly Dialog[]): ComposedState {
  return {
    fingerprint: dialogsFingerprint(dialogs),
    dialogs,
    render: (_contentType, entity, nowMs) => renderDialogInfo(entity, dialogs, nowMs),
    inProfile: (profile) => dialogView(applyProfile(dialogs, profile)),
    renderSince(base, entity, nowMs) {
      const changed = changesSince(base.dialogs ?? [], dialogs);
      return changed.length === 0 ? undefined : renderDialogInfo(entity, changed, nowMs, 'partial');
    },
  };
}

/**
 * The dialogs of a partial document (RFC 4235 section 4.3): those that are new or changed, and as terminated those that
 * are no longer shown.
 */
export function changesSince(before: readonly Dialog[], after: readonly Dialog[]): Dialog[] {
  const known = new Map(before.map((dialog) => [dialog.id, dialogsFingerprint([dialog])]));
  const changed = after.filter((dialog) => known.get(dialog.id) !== dialogsFingerprint([dialog]));
  const shown = new Set(after.map(({ id }) => id));
  const gone = before.filter((dialog) => isLive(dialog) && !shown.has(dialog.id));
  return [...changed, ...gone.map(asTerminated)];
}

function asTerminated(dialog: Dialog): Dialog {
  const { event: _event, code: _code, ...rest } = dialog;
  return { ...rest, state: 'terminated' };
}
