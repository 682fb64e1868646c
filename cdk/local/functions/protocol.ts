/** Messages between the host of a function and its worker thread. */
import type { FunctionName } from '#cdk/system.ts';

export interface WorkerSettings {
  readonly functionName: string;
  /** Its name in the system description, when it is one of its functions: its rights at the table hold. */
  readonly describedAs?: FunctionName | undefined;
  /** Absolute path of the module that exports `handler`. */
  readonly modulePath: string;
  readonly memoryMb: number;
}

export interface InvokeMessage {
  readonly requestId: string;
  /** JSON text. */
  readonly payload: string;
  readonly deadlineMs: number;
}

export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly requestId: string; readonly payload: string }
  | { readonly kind: 'failure'; readonly requestId: string; readonly failure: FunctionFailure };

/** The body of an answer with X-Amz-Function-Error. */
export interface FunctionFailure {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

/** Describes anything thrown as Lambda's Node runtime does. */
export function describeFailure(thrown: unknown): FunctionFailure {
  if (!(thrown instanceof Error)) return { errorType: typeof thrown, errorMessage: String(thrown) };
  return { errorType: thrown.name, errorMessage: thrown.message, trace: (thrown.stack ?? '').split('\n') };
}
