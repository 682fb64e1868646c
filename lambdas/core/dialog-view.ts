/** The dialogs of a presentity as watchers of the dialog package see them, by rendering profile. Pure. */
import { type Dialog, isLive } from './dialog.ts';
import { renderDialogInfo } from './dialog-info.ts';
import type { ComposedState } from './event-package.ts';
import { LAMP_TYPE, renderLamp } from './lamp-document.ts';
import { dialogsFingerprint, IDLE } from './presentity.ts';
import { applyProfile, withoutIdentities } from './rendering-profile.ts';
import { isHidden } from './watch-policy.ts';

/** @param dialogs all that there is to show */
export function dialogView(dialogs: readonly Dialog[]): ComposedState {
  return {
    fingerprint: dialogsFingerprint(dialogs),
    dialogs,
    render: (contentType, entity, nowMs, version) =>
      contentType === LAMP_TYPE ? renderLamp(dialogs, version) : renderDialogInfo(entity, dialogs, nowMs),
    inProfile: (profile) => dialogView(applyProfile(dialogs, profile)),
    inAccess: (access) => dialogView(isHidden(access) ? [IDLE] : redactedDialogs(dialogs, access)),
    renderSince(base, entity, nowMs) {
      const changed = changesSince(base.dialogs ?? [], dialogs);
      return changed.length === 0 ? undefined : renderDialogInfo(entity, changed, nowMs, 'partial');
    },
  };
}

/** State and direction alone; in `stateOnly` the state that matters most, of one dialog that is always the same. */
function redactedDialogs(dialogs: readonly Dialog[], access: 'redacted' | 'stateOnly'): readonly Dialog[] {
  if (access === 'redacted') return dialogs.map(withoutIdentities);
  return dialogs.slice(0, 1).map(({ state }) => ({ id: IDLE.id, state }));
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
