/** The keys that work wherever the focus is. Pure. */
import type { Call } from '#gateway/panel/call/call.ts';

export type CallAction = 'answer' | 'hangUp' | 'hold' | 'mute';

/** With Alt, so that no typed text is taken for them (WCAG 2.1.4). */
const KEYS: Readonly<Record<string, CallAction>> = { KeyA: 'answer', KeyX: 'hangUp', KeyH: 'hold', KeyM: 'mute' };

export const SHORTCUTS = { answer: 'Alt+A', hangUp: 'Alt+X', hold: 'Alt+H', mute: 'Alt+M' } as const satisfies Record<
  CallAction,
  string
>;

interface Pressed {
  readonly code: string;
  readonly altKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
}

/** @param pressed by `code`, since Alt makes other characters on some keyboards */
export function actionOf(pressed: Pressed): CallAction | undefined {
  return pressed.altKey && !pressed.ctrlKey && !pressed.metaKey && !pressed.shiftKey ? KEYS[pressed.code] : undefined;
}

/** The call that an action means: what rings before what talks, what talks before what waits. */
export function callFor(action: CallAction, calls: readonly Call[]): Call | undefined {
  const incoming = calls.find(({ phase }) => phase === 'incoming');
  const live = calls.filter(({ phase }) => phase !== 'incoming');
  const active = live.find((call) => !call.held);
  switch (action) {
    case 'answer':
      return incoming;
    case 'hangUp':
      return incoming ?? active ?? live[0];
    case 'hold':
      return (
        live.find((call) => call.phase === 'talking' && !call.held) ?? live.find(({ phase }) => phase === 'talking')
      );
    case 'mute':
      return active?.phase === 'talking' ? active : undefined;
    default:
      return action satisfies never;
  }
}
