/** Failures as people need them: what is wrong, and what to do about it. Pure. */

export interface Problem {
  /** SIP status; 0 when no answer came at all. */
  readonly status: number;
  readonly title: string;
  readonly advice: string;
  /** True when trying again without a change can help. */
  readonly passing: boolean;
}

export function unreachable(host: string): Problem {
  return {
    status: 0,
    title: `Cannot reach the server at ${host}.`,
    advice:
      'Check your network connection and that the server is running; the panel keeps trying once you are signed in.',
    passing: true,
  };
}

/** @param aor who tried to sign in, as `user@domain` */
export function signInProblem(status: number, reason: string, aor: string): Problem {
  if (status === 401 || status === 407)
    return {
      status,
      // The server answers the same to an unknown company, an unknown user and a wrong password, on purpose.
      title: 'Sign-in was refused.',
      advice: `Check the password, and that ${aor} is written as your administrator gave it to you, company domain included.`,
      passing: false,
    };
  if (status === 403 || status === 404)
    return {
      status,
      title: `${aor} may not sign in here.`,
      advice: 'Check the company domain, or ask your administrator to allow this user.',
      passing: false,
    };
  return serverProblem(status, reason);
}

/** The token of a portal is not, or no longer, taken. */
export const tokenProblem = (): Problem => ({
  status: 401,
  title: 'Your sign-in has ended.',
  advice: 'Open this page from your portal again, or sign in with your password.',
  passing: false,
});

export function serverProblem(status: number, reason: string): Problem {
  const passing = status === 408 || status === 480 || status >= 500;
  return {
    status,
    title: status === 408 ? 'The server does not answer.' : `The server answered ${status} ${reason}.`,
    advice: passing ? 'It may be busy or restarting. Try again in a moment.' : 'Tell your administrator what it said.',
    passing,
  };
}
