/** Mailbox: keeps messages for an absent recipient, and hands them over when one of its devices registers. */
import type { ForwardInstruction } from '#contract/instruction.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Binding } from '#core/binding.ts';
import type { Address } from '#core/identity.ts';
import { forwardedHeaders, isWorthKeeping, validSeconds } from '#core/instant-message.ts';
import { headerFieldsOf } from '#core/sip/message.ts';
import { loadMessages, type StoredMessage, storeMessage } from '#table/message-item.ts';
import type { Table } from '#table/table.ts';

const KEEP_SECONDS = 7 * 24 * 3_600;
/** Handed over in one go; the rest follows with the next REGISTER. Bounds what an invocation returns. */
const MAX_BYTES_AT_ONCE = 100_000;
const ANSWER_WITHIN_MS = 10_000;

/**
 * Keeps the message of an envelope: one Query, one PutItem.
 * @returns the id that it is stored under; undefined when it is not worth keeping or there is no room
 */
export async function keepMessage(
  { request, toTag }: RequestEnvelope,
  recipient: Address,
  table: Table,
  nowMs: number,
): Promise<string | undefined> {
  const fields = headerFieldsOf(request.headers);
  const seconds = Math.min(validSeconds(fields) ?? KEEP_SECONDS, KEEP_SECONDS);
  if (seconds === 0 || !isWorthKeeping(fields)) return undefined;
  // The way to us ends here: the message starts its way anew.
  const headers = forwardedHeaders(request.headers, nowMs).filter(([name]) => !/^via$/i.test(name));
  const times = { receivedAtMs: nowMs, expiresAtMs: nowMs + seconds * 1_000 };
  return storeMessage(table, recipient, { id: toTag, ...times, headers, body: request.body }, nowMs);
}

/** What waits for a user, as instructions to the flow of the device that has just registered: one Query. */
export async function handOver(
  recipient: Address,
  { contactUri, flowId }: Pick<Binding, 'contactUri'> & { readonly flowId: ForwardInstruction['flowId'] },
  table: Table,
  nowMs: number,
): Promise<ForwardInstruction[]> {
  let bytes = 0;
  const fits = ({ body, headers }: StoredMessage): boolean => {
    bytes += Buffer.byteLength(body) + Buffer.byteLength(JSON.stringify(headers));
    return bytes <= MAX_BYTES_AT_ONCE;
  };
  const waiting = await loadMessages(table, recipient, nowMs);
  const first = waiting.findIndex((message, index) => !fits(message) && index > 0);
  return waiting.slice(0, first < 0 ? undefined : first).map(({ id, headers, body }) => ({
    ...{ kind: 'forward', id, flowId, answerWithinMs: ANSWER_WITHIN_MS },
    request: {
      method: 'MESSAGE',
      requestUri: contactUri,
      headers: headers.map(([name, value]) => [name, value]),
      body,
    },
  }));
}
