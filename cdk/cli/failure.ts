/** How a command ends when it cannot do what it was asked: words for the person, and an exit code for the script. Pure. */

/** What the exit code of `lampfield` says. */
export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface FailureDetails {
  readonly exitCode: ExitCode;
  /** What to do about it. */
  readonly advice?: string | undefined;
  /** HTTP status, when the API refused. */
  readonly status?: number | undefined;
  /** Members of the request that were wrong. */
  readonly errors?: readonly PointedError[] | undefined;
}

/** A member of a request with what is wrong with it (RFC 9457 `errors`). */
export interface PointedError {
  readonly pointer: string;
  readonly detail: string;
}

/** A command cannot do what it was asked. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  readonly details: FailureDetails;

  /** @param what happened, a sentence */
  constructor(what: string, details: FailureDetails) {
    super(what);
    this.details = details;
  }
}

export const usageFailure = (what: string, advice?: string): CliFailure =>
  new CliFailure(what, { exitCode: EXIT.usage, advice });

export const refusal = (what: string, advice?: string): CliFailure =>
  new CliFailure(what, { exitCode: EXIT.refused, advice });

/** The lines for a person: what happened, where, and what to do. */
export function describeFailure({ message, details }: CliFailure): string {
  const errors = (details.errors ?? []).map(({ pointer, detail }) => `  ${pointer || '/'}: ${detail}`);
  return [`lampfield: ${message}`, ...errors, ...(details.advice ? [`  ${details.advice}`] : [])].join('\n');
}

/** The same for a script, one line of JSON. */
export function failureDocument({ message, details }: CliFailure): object {
  const { exitCode, status, advice, errors } = details;
  return { error: { exitCode, status, detail: message, advice, errors } };
}
