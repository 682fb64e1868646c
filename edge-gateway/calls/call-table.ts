/** The calls that this gateway keeps: by key, by Call-ID, by the flows that carry them. */

import { tagOf } from '#core/sip/header.ts';
import type { SipRequest } from '#core/sip/message.ts';
import type { Call } from './call.ts';
import type { Direction } from './call-dialog.ts';

export class CallTable {
  readonly #byKey = new Map<string, Call>();
  readonly #byCallId = new Map<string, Set<Call>>();
  readonly #byFlow = new Map<string, Set<Call>>();

  #live = 0;

  /** Calls that have not ended; those that have are kept for a while. */
  get live(): number {
    return this.#live;
  }

  get(key: string): Call | undefined {
    return this.#byKey.get(key);
  }

  values(): IterableIterator<Call> {
    return this.#byKey.values();
  }

  add(call: Call): void {
    this.#byKey.set(call.key, call);
    this.#live++;
    put(this.#byCallId, call.facts.dialog.callId, call);
  }

  /** A flow carries this call from now on. */
  addFlow(call: Call, flowId: string): void {
    call.flowIds.add(flowId);
    put(this.#byFlow, flowId, call);
  }

  removeFlow(call: Call, flowId: string): void {
    call.flowIds.delete(flowId);
    drop(this.#byFlow, flowId, call);
  }

  ofFlow(flowId: string): readonly Call[] {
    return [...(this.#byFlow.get(flowId) ?? [])];
  }

  liveOfFlow(flowId: string): number {
    let count = 0;
    for (const { endedAtMs } of this.#byFlow.get(flowId) ?? []) if (endedAtMs === undefined) count++;
    return count;
  }

  /** The call has just ended; it is forgotten later. */
  ended(): void {
    this.#live--;
  }

  remove(call: Call): void {
    this.#byKey.delete(call.key);
    drop(this.#byCallId, call.facts.dialog.callId, call);
    for (const flowId of call.flowIds) drop(this.#byFlow, flowId, call);
  }

  ofCallId(callId: string): readonly Call[] {
    return [...(this.#byCallId.get(callId) ?? [])];
  }

  /** The call of a request that carries no Route of ours: by its Call-ID and tags. */
  findByTags(callId: string, fromTag: string | undefined, toTag: string | undefined): Call | undefined {
    for (const call of this.#byCallId.get(callId) ?? [])
      if (call.facts.dialog.directionOf(fromTag, toTag) !== undefined) return call;
    return undefined;
  }
}

export const directionIn = (call: Call, request: SipRequest): Direction | undefined =>
  call.facts.dialog.directionOf(tagOf(request.get('from') ?? ''), tagOf(request.get('to') ?? ''));

function put(index: Map<string, Set<Call>>, key: string, call: Call): void {
  const calls = index.get(key);
  if (calls === undefined) index.set(key, new Set([call]));
  else calls.add(call);
}

function drop(index: Map<string, Set<Call>>, key: string, call: Call): void {
  const calls = index.get(key);
  if (calls?.delete(call) && calls.size === 0) index.delete(key);
}
