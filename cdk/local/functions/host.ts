/** Runs one function in a worker thread: side-by-side invocations, deadlines, and a new worker for one that broke. */
import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { WORKER_BUNDLE } from '#cdk/dist.ts';
import {
  describeFailure,
  type FunctionFailure,
  type InvokeMessage,
  type WorkerMessage,
  type WorkerSettings,
} from './protocol.ts';

export interface HostedFunction {
  readonly functionName: string;
  readonly describedAs?: WorkerSettings['describedAs'];
  /** Absolute path of the module that exports `handler`. */
  readonly modulePath: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
}

export type InvocationResult =
  | { readonly kind: 'result'; readonly payload: string }
  | { readonly kind: 'failure'; readonly failure: FunctionFailure }
  | { readonly kind: 'throttled' };

/** Lambda's usual quota; beyond it callers are told to come back. */
const CONCURRENT_INVOCATIONS = 1_000;

interface Invocation {
  readonly resolve: (result: InvocationResult) => void;
  readonly timer: NodeJS.Timeout;
}

/** A worker with what runs on it; a retired one gets nothing new and ends with its last invocation. */
interface Sandbox {
  readonly worker: Worker;
  readonly running: Map<string, Invocation>;
  ready: boolean;
  retired: boolean;
}

export class FunctionHost {
  readonly #hosted: HostedFunction;
  #sandbox: Sandbox | undefined;
  #invocations = 0;
  #stopped = false;

  constructor(hosted: HostedFunction) {
    this.#hosted = hosted;
    this.#sandbox = this.#startSandbox();
  }

  /** True once the bundle is loaded. */
  get ready(): boolean {
    return this.#sandbox?.ready === true;
  }

  /** Runs the handler; never rejects. @param payload JSON text */
  invoke(payload: string): Promise<InvocationResult> {
    if (this.#invocations >= CONCURRENT_INVOCATIONS) return Promise.resolve({ kind: 'throttled' });
    this.#sandbox ??= this.#startSandbox();
    return this.#run(this.#sandbox, payload);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#sandbox?.worker.terminate();
  }

  async #run(sandbox: Sandbox, payload: string): Promise<InvocationResult> {
    const requestId = randomUUID();
    const timeoutMs = this.#hosted.timeoutSeconds * 1_000;
    const message: InvokeMessage = { requestId, payload, deadlineMs: Date.now() + timeoutMs };
    this.#invocations += 1;
    try {
      return await new Promise<InvocationResult>((resolve) => {
        const timer = setTimeout(() => this.#timeOut(sandbox, requestId), timeoutMs);
        sandbox.running.set(requestId, { resolve, timer });
        sandbox.worker.postMessage(message);
      });
    } finally {
      this.#invocations -= 1;
    }
  }

  #startSandbox(): Sandbox {
    const { functionName, describedAs, modulePath, memoryMb } = this.#hosted;
    const workerData: WorkerSettings = { functionName, describedAs, modulePath, memoryMb };
    const worker = new Worker(WORKER_BUNDLE, {
      workerData,
      name: functionName,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    const sandbox: Sandbox = { worker, running: new Map(), ready: false, retired: false };
    worker.on('message', (message: WorkerMessage) => this.#receive(sandbox, message));
    worker.on('error', (error) => {
      console.error(
        JSON.stringify({ level: 'error', functionName, event: 'worker failed', error: String(error.stack) }),
      );
      this.#abandon(sandbox, describeFailure(error));
    });
    worker.on('exit', (code) => {
      this.#abandon(sandbox, { errorType: 'Runtime.ExitError', errorMessage: `Runtime exited with status ${code}` });
      this.#replace(sandbox);
    });
    return sandbox;
  }

  #receive(sandbox: Sandbox, message: WorkerMessage): void {
    if (message.kind === 'ready') {
      sandbox.ready = true;
      return;
    }
    this.#settle(sandbox, message.requestId, message);
  }

  #settle(sandbox: Sandbox, requestId: string, result: InvocationResult): void {
    const invocation = sandbox.running.get(requestId);
    if (invocation === undefined) return;
    clearTimeout(invocation.timer);
    sandbox.running.delete(requestId);
    invocation.resolve(result);
    if (sandbox.retired && sandbox.running.size === 0) void sandbox.worker.terminate();
  }

  /** Lambda throws a sandbox away whose invocation ran out of time: it may hang for good. */
  #timeOut(sandbox: Sandbox, requestId: string): void {
    sandbox.retired = true;
    this.#replace(sandbox);
    const seconds = this.#hosted.timeoutSeconds.toFixed(2);
    const errorMessage = `${new Date().toISOString()} ${requestId} Task timed out after ${seconds} seconds`;
    this.#settle(sandbox, requestId, { kind: 'failure', failure: { errorType: 'Sandbox.Timedout', errorMessage } });
  }

  #abandon(sandbox: Sandbox, failure: FunctionFailure): void {
    for (const requestId of [...sandbox.running.keys()]) this.#settle(sandbox, requestId, { kind: 'failure', failure });
  }

  /** One that never got ready is started again by the next invocation only, so that it cannot spin. */
  #replace(sandbox: Sandbox): void {
    if (this.#sandbox !== sandbox) return;
    this.#sandbox = sandbox.ready && !this.#stopped ? this.#startSandbox() : undefined;
  }
}
