/** Session timers (RFC 4028): a session that is not refreshed in time is over, even when its BYE was lost. */
import type { HeaderFields } from '#core/sip/message.ts';
import type { Call } from './call.ts';
import type { CallContext } from './call-context.ts';
import { sessionSeconds } from './call-dialog.ts';

/** A 2xx to an INVITE or UPDATE tells how long the session stands without another. */
export function armSession(
  call: Call,
  headers: HeaderFields,
  { settings }: Pick<CallContext, 'settings'>,
  end: (cause: 'sessionExpired') => void,
): void {
  const seconds = sessionSeconds(headers);
  if (seconds === undefined) call.stopTimer('session');
  else call.startTimer('session', seconds * 1000 + settings.graceMs, () => end('sessionExpired'));
}
