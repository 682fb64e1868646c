/** Requests that a function sends through a flow: client transactions (RFC 3261 section 17.1.2) over WebSocket. */
import type { ForwardInstruction, ForwardResult } from '#contract/instruction.ts';
import { longLowerName } from '#core/sip/header-name.ts';
import type { SipResponse } from '#core/sip/message.ts';
import { serializeRequest } from '#core/sip/serialize.ts';
import type { Flow, FlowTable } from './flow-table.ts';
import type { Outbox } from './outbox.ts';
import type { Counts, Log } from './telemetry.ts';

/** Subscription ids are longer than this mark, so no branch of a NOTIFY begins with it. */
export const FORWARD_BRANCH_PREFIX = 'z9hG4bKf.';
/** Requests under way on one flow; on a flow that left one unanswered, one at a time until it answers again. */
const MAX_PER_FLOW = 64;
const MAX_ANSWER_FIELD_BYTES = 2_048;
/** Fields that belong to the hop or to the answer that the gateway writes itself. */
const OF_THE_HOP: ReadonlySet<string> = new Set([
  'via',
  'from',
  'to',
  'call-id',
  'cseq',
  'content-length',
  'content-type',
  'record-route',
]);

export interface ForwardPathPorts {
  /** Host of our Via. */
  readonly gatewayHost: string;
  readonly flows: FlowTable;
  readonly outbox: Outbox;
  readonly counts: Counts;
  readonly log: Log;
}

interface Transaction {
  readonly flow: Flow;
  readonly result: Promise<ForwardResult>;
  readonly settle: (result: ForwardResult) => void;
}

interface FlowLoad {
  underWay: number;
  isSilent: boolean;
}

export class ForwardPath {
  readonly #ports: ForwardPathPorts;
  readonly #transactions = new Map<string, Transaction>();
  readonly #loads = new WeakMap<Flow, FlowLoad>();

  constructor(ports: ForwardPathPorts) {
    this.#ports = ports;
  }

  get underWay(): number {
    return this.#transactions.size;
  }

  /** Sends a request on its flow and gives the final answer, or that there is none. Never throws for what a peer does. */
  forward(instruction: ForwardInstruction): Promise<ForwardResult> {
    const known = this.#transactions.get(instruction.id);
    if (known !== undefined) return known.result;
    const flow = this.#ports.flows.get(instruction.flowId);
    if (flow === undefined || flow.closed) return Promise.resolve({ kind: 'noFlow' });
    const load = this.#loadOf(flow);
    if (load.underWay >= (load.isSilent ? 1 : MAX_PER_FLOW)) return Promise.resolve({ kind: 'unanswered' });
    return this.#open(instruction, flow, load);
  }

  #open(instruction: ForwardInstruction, flow: Flow, load: FlowLoad): Promise<ForwardResult> {
    const { counts, outbox, gatewayHost } = this.#ports;
    const { id } = instruction;
    const { promise, resolve } = Promise.withResolvers<ForwardResult>();
    const timer = setTimeout(() => settle({ kind: 'unanswered' }), instruction.answerWithinMs);
    const settle = (result: ForwardResult): void => {
      if (!this.#transactions.delete(id)) return;
      clearTimeout(timer);
      load.underWay--;
      load.isSilent = result.kind === 'unanswered';
      if (load.isSilent) counts.forwardsTimedOut++;
      this.#ports.log.info({ hop: 'forward', flow: flow.id, forward: id, outcome: outcomeOf(result) });
      resolve(result);
    };
    load.underWay++;
    this.#transactions.set(id, { flow, result: promise, settle });
    counts.forwardsSent++;
    outbox.send(flow, composeForward(instruction, flow.transport, gatewayHost));
    return promise;
  }

  #loadOf(flow: Flow): FlowLoad {
    const known = this.#loads.get(flow);
    if (known !== undefined) return known;
    const load = { underWay: 0, isSilent: false };
    this.#loads.set(flow, load);
    return load;
  }

  /** Handles the answer to a forwarded request; a provisional one, or one from another flow, is ignored. */
  takeAnswer(flow: Flow, branch: string, response: SipResponse): void {
    const transaction = this.#transactions.get(branch.slice(FORWARD_BRANCH_PREFIX.length));
    if (transaction === undefined || transaction.flow !== flow || response.status < 200) return;
    const { status, reason } = response;
    transaction.settle({ kind: 'answered', response: { status, reason, headers: answerFields(response) } });
  }

  /** A flow is gone: what waits for its answer ends. */
  flowClosed(flow: Flow): void {
    if (!this.#loads.has(flow)) return;
    for (const transaction of this.#transactions.values())
      if (transaction.flow === flow) transaction.settle({ kind: 'noFlow' });
  }
}

function composeForward({ id, request }: ForwardInstruction, transport: string, gatewayHost: string): string {
  const via: [string, string] = ['Via', `SIP/2.0/${transport} ${gatewayHost};branch=${FORWARD_BRANCH_PREFIX}${id}`];
  return serializeRequest(request.method, request.requestUri, [via, ...request.headers], request.body);
}

function answerFields(response: SipResponse): [string, string][] {
  return response.entries().filter(([name, value]) => {
    return !OF_THE_HOP.has(longLowerName(name)) && value.length <= MAX_ANSWER_FIELD_BYTES;
  });
}

const outcomeOf = (result: ForwardResult): number | string =>
  result.kind === 'answered' ? result.response.status : result.kind;
