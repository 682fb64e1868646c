/** Transactions of calls at their home gateway (RFC 3261 section 17): what came in, what was sent on, for a while. */
import { randomBytes } from 'node:crypto';
import type { FlowAddress } from '#contract/call.ts';
import type { Identity } from '#contract/schemas.ts';
import type { EnvelopedResponse } from '#contract/sip-response.ts';
import type { SipRequest, SipResponse } from '#core/sip/message.ts';
import { composeResponse, topVia } from '../envelope.ts';
import type { Transport } from '../flow-table.ts';
import { transactionKey } from '../transaction.ts';
import type { SentRequest } from './call-message.ts';

/** Where a message came from: a flow of this gateway or of another one. */
export interface Arrival {
  readonly flow: FlowAddress;
  readonly identity: Identity | undefined;
  readonly transport: Transport;
  readonly sourceAddress: string;
  readonly sourcePort: number;
}

/** 64 * T1 (RFC 3261 section 17): so long a transaction may hear of the other side again. */
export const TRANSACTION_MS = 32_000;
/** Answers to other requests than INVITE are kept so long for a retransmission. */
const KEPT_MS = 10_000;

export interface ServerTransaction {
  readonly key: string;
  readonly request: SipRequest;
  readonly source: Arrival;
  readonly toTag: string;
  /** Last status sent; 0 for none. */
  status: number;
  lastResponse: string | undefined;
  isCancelled: boolean;
  /** Why it was cancelled, as its CANCEL said (RFC 3326). */
  cancelReasons: readonly string[];
  /** What a CANCEL does. */
  cancel: (() => void) | undefined;
}

export interface ClientTransaction {
  readonly id: string;
  /** A CANCEL has the branch of its INVITE: the method tells whose answer it is (RFC 3261 section 17.1.3). */
  readonly method: string;
  readonly sent: SentRequest;
  /** Whether an answer on this flow is believed. */
  readonly isFrom: (arrival: Arrival) => boolean;
  readonly take: (response: SipResponse) => void;
}

export class CallTransactions {
  readonly #server = new Map<string, ServerTransaction>();
  readonly #client = new Map<string, ClientTransaction>();
  readonly #send: (flow: FlowAddress, text: string) => boolean;

  constructor(send: (flow: FlowAddress, text: string) => boolean) {
    this.#send = send;
  }

  get size(): number {
    return this.#server.size + this.#client.size;
  }

  /** @param method of the transaction that is looked for: INVITE for its ACK or CANCEL */
  find(arrival: Arrival, request: SipRequest, method = request.method): ServerTransaction | undefined {
    return this.#server.get(keyOf(arrival, request, method));
  }

  open(source: Arrival, request: SipRequest, toTag = randomBytes(12).toString('base64url')): ServerTransaction {
    const key = keyOf(source, request, request.method);
    const transaction: ServerTransaction = {
      ...{ key, request, source, toTag },
      ...{ status: 0, lastResponse: undefined, isCancelled: false, cancelReasons: [], cancel: undefined },
    };
    this.#server.set(key, transaction);
    return transaction;
  }

  /** An answer of our own; none follows a final one. */
  reply(
    transaction: ServerTransaction,
    response: EnvelopedResponse | { status: 100; reason: string; headers: [] },
  ): void {
    const { request, source, toTag } = transaction;
    const tag = response.status === 100 ? '' : toTag;
    this.pass(transaction, response.status, composeResponse(request, response, source, tag));
  }

  /** An answer that came from the other side; after a final one only further 2xx to an INVITE go on. */
  pass(transaction: ServerTransaction, status: number, text: string): void {
    const isFurther2xx = status >= 200 && status < 300 && transaction.request.method === 'INVITE';
    if (transaction.status >= 200 && !(isFurther2xx && transaction.status < 300)) return;
    if (status >= 200 && transaction.status < 200) this.#retire(transaction);
    transaction.status = status;
    transaction.lastResponse = text;
    this.#send(transaction.source.flow, text);
  }

  repeat({ source, lastResponse }: ServerTransaction): void {
    if (lastResponse !== undefined) this.#send(source.flow, lastResponse);
  }

  /** No answer will come: a retransmission may go out anew. */
  abandon({ key }: ServerTransaction): void {
    this.#server.delete(key);
  }

  #retire({ key, request }: ServerTransaction): void {
    const keptMs = request.method === 'INVITE' ? TRANSACTION_MS : KEPT_MS;
    setTimeout(() => this.#server.delete(key), keptMs).unref();
  }

  add(transaction: ClientTransaction): void {
    this.#client.set(transaction.id, transaction);
  }

  client(id: string): ClientTransaction | undefined {
    return this.#client.get(id);
  }

  forget(id: string): void {
    this.#client.delete(id);
  }

  /** The transaction is forgotten when nothing of it can come any more. */
  forgetLater(id: string, milliseconds = TRANSACTION_MS): void {
    setTimeout(() => this.#client.delete(id), milliseconds).unref();
  }
}

function keyOf({ flow }: Arrival, request: SipRequest, method: string): string {
  const { branch, sentBy } = topVia(request);
  return `${flow.flowId} ${transactionKey(branch, method, sentBy)} ${branch === '' ? request.get('cseq') : ''}`;
}
