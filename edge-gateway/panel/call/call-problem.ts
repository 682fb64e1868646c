/** Why a call did not come about, as people need it. Pure. */
import { type Problem, serverProblem } from '#gateway/panel/problem.ts';

const LASTING = { passing: false } as const;
const PASSING = { passing: true } as const;

/** @param rang whether the other side's device had rung */
export function callProblem(status: number, reason: string, who: string, rang: boolean): Problem {
  switch (status) {
    case 486:
    case 600:
      return { status, title: `${who} is busy.`, advice: 'Try again later, or send a message.', ...PASSING };
    case 603:
    case 607:
    case 608:
      return { status, title: `${who} declined the call.`, advice: '', ...PASSING };
    case 408:
    case 480:
      return rang
        ? { status, title: `${who} did not answer.`, advice: 'Try again later, or send a message.', ...PASSING }
        : { status, title: `${who} cannot be reached.`, advice: 'No device is signed in there now.', ...PASSING };
    case 404:
    case 410:
    case 484:
    case 604:
      return { status, title: `${who} does not exist here.`, advice: 'Check the number.', ...LASTING };
    case 401:
    case 403:
    case 407:
      return { status, title: `You may not call ${who}.`, advice: 'Ask your administrator.', ...LASTING };
    case 415:
    case 488:
    case 606:
      return {
        status,
        title: `${who} cannot talk to a browser.`,
        advice: 'The device has no fitting audio.',
        ...LASTING,
      };
    case 481:
      return { status, title: 'The call is gone.', advice: 'It was answered or ended meanwhile.', ...PASSING };
    case 0:
      return { status, title: 'The call could not be sent.', advice: 'The line to the server is down.', ...PASSING };
    default:
      return serverProblem(status, reason);
  }
}

/** @param who the caller, whose device hands the call over */
export function pickUpProblem(status: number, reason: string, who: string): Problem {
  const title = 'The call could not be picked up.';
  if ([481, 486, 487, 603].includes(status))
    return { status, title, advice: 'It was answered or ended meanwhile.', ...PASSING };
  if ([404, 420, 480].includes(status))
    return { status, title, advice: `The device of ${who} cannot be asked to hand it over.`, ...LASTING };
  return callProblem(status, reason, who, false);
}

export function tooManyCalls(most: number): Problem {
  return { status: 0, title: `You have ${most} calls already.`, advice: 'End one of them first.', ...PASSING };
}

/** The server or the other side's device has lost the call. */
export function lostCall(who: string): Problem {
  return { status: 0, title: `The call with ${who} was lost.`, advice: 'Call again.', ...PASSING };
}

export function transferProblem(status: number, reason: string, to: string, backWith: string): Problem {
  const { title, passing } = callProblem(status, reason, to, true);
  return { status, title: `The transfer failed. ${title}`, advice: `You are back with ${backWith}.`, passing };
}

/** Why there is no microphone, by the name of what getUserMedia threw. */
export function microphoneProblem(name: string): Problem {
  const status = 0;
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return {
        status,
        title: 'The microphone was refused.',
        advice: 'Allow the microphone for this page in the browser’s address bar, then call again.',
        ...PASSING,
      };
    case 'NotFoundError':
    case 'OverconstrainedError':
      return { status, title: 'No microphone was found.', advice: 'Connect one, then call again.', ...PASSING };
    case 'NotReadableError':
    case 'AbortError':
      return {
        status,
        title: 'The microphone cannot be used.',
        advice: 'Another program may be using it. Close that program, then call again.',
        ...PASSING,
      };
    case 'InsecureContext':
      return {
        status,
        title: 'The browser gives no microphone to this page.',
        advice: 'Open the panel with https, or on this machine as localhost.',
        ...LASTING,
      };
    default:
      return { status, title: 'The microphone does not work.', advice: `The browser says: ${name}.`, ...PASSING };
  }
}
