/** Messenger (RFC 3428): a MESSAGE goes to all contacts of its recipient; the best answer comes back. */

import { flowIdOf, type GatewayId, gatewayIdOf } from '#contract/ids.ts';
import type { ForwardInstruction, ForwardResult } from '#contract/instruction.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { EnvelopedResponse } from '#contract/sip-response.ts';
import type { Binding } from '#core/binding.ts';
import { SipRejection } from '#core/error.ts';
import { bestResponse, isDecisive } from '#core/forking.ts';
import { type Address, addressOfRequestUri, isStorable } from '#core/identity.ts';
import { forwardedHeaders, relayedResponse, requireAcceptable } from '#core/instant-message.ts';
import { loadRegistration, removeBinding } from '#table/binding-item.ts';
import type { LeaseBook } from '#table/lease-book.ts';
import { removeMessage } from '#table/message-item.ts';
import { DEFAULT_POLICY } from '#table/tenant-item.ts';
import { asAuthenticated } from './authenticator.ts';
import { keepMessage } from './mailbox.ts';
import type { RequestPorts } from './request-ports.ts';
import { failureFields, type RoleLog } from './role-log.ts';
import { requireReach } from './watch-gate.ts';

export interface MessengerPorts extends RequestPorts {
  readonly leases: LeaseBook;
  readonly gateways: {
    /** One POST, answered when the contact has answered. Never throws for what a gateway does. */
    forward(gatewayId: GatewayId, address: string, instruction: ForwardInstruction): Promise<ForwardResult>;
  };
  readonly telemetry: RoleLog;
}

/** Well within the gateway's deadline for this function, and far within timer F of the sender. */
const ANSWER_WITHIN_MS = 3_000;

/**
 * Answers one MESSAGE, to another tenant by agreement of both; how long it may be and whether it is kept is the word of the
 * recipient's. One Query; when nobody is there and the tenant keeps messages, two more and a PutItem; one POST a contact, all at once. The first 2xx is the answer, without waiting for
 * the others.
 * @throws {SipRejection} 401 and other refusals before the sender is known; later ones come as an outcome
 */
export async function message(envelope: RequestEnvelope, ports: MessengerPorts, nowMs: number): Promise<OutcomeInput> {
  const { request } = envelope;
  return asAuthenticated(envelope, ports, nowMs, async (identity, headers) => {
    await requireReach(identity, request.requestUri, headers, ports);
    const recipient = addressOfRequestUri(request.requestUri);
    const tenant = await ports.loadTenant(recipient.domain);
    const policy = tenant?.policy ?? DEFAULT_POLICY;
    requireAcceptable(request, headers, policy);

    const bindings = await bindingsOf(recipient, ports, nowMs);
    const response =
      (await forwardToAll(envelope, recipient, bindings, ports, nowMs)) ??
      (policy.storeAndForward ? await keepOrForward(envelope, recipient, bindings, ports, nowMs) : undefined);
    if (response === undefined) throw new SipRejection(480, 'Temporarily Unavailable');
    return { response: relayedResponse(response) };
  });
}

/**
 * Keeps the message, and looks once more: who has registered meanwhile may have looked for messages before it was kept.
 * @returns 202, or the answer of a device that has come; undefined when there is no room
 */
async function keepOrForward(
  envelope: RequestEnvelope,
  recipient: Address,
  tried: readonly Binding[],
  ports: MessengerPorts,
  nowMs: number,
): Promise<EnvelopedResponse | undefined> {
  const id = await keepMessage(envelope, recipient, ports.table, nowMs);
  if (id === undefined) return undefined;
  const flows = new Set(tried.map(({ flowId }) => flowId));
  const arrived = (await bindingsOf(recipient, ports, nowMs)).filter(({ flowId }) => !flows.has(flowId));
  const response = arrived.length > 0 ? await forwardToAll(envelope, recipient, arrived, ports, nowMs) : undefined;
  if (response === undefined || !isDecisive(response)) return { status: 202, reason: 'Accepted', headers: [] };
  await removeMessage(ports.table, recipient, id);
  return response;
}

/** @throws {SipRejection} 404 when there is no such user */
async function bindingsOf(recipient: Address, { table }: MessengerPorts, nowMs: number): Promise<readonly Binding[]> {
  const registration = isStorable(recipient) ? await loadRegistration(table, recipient, nowMs) : undefined;
  if (registration?.user === undefined) throw new SipRejection(404, 'Not Found');
  return registration.bindings;
}

/** @returns the best answer; undefined when no contact can be reached */
async function forwardToAll(
  envelope: RequestEnvelope,
  recipient: Address,
  bindings: readonly Binding[],
  ports: MessengerPorts,
  nowMs: number,
): Promise<EnvelopedResponse | undefined> {
  const headers = forwardedHeaders(envelope.request.headers, nowMs);
  const decided = Promise.withResolvers<EnvelopedResponse>();
  const branches = bindings.map(async (binding, index) => {
    const result = await forwardTo(binding, { envelope, headers, id: `${envelope.toTag}.${index}` }, ports, nowMs);
    if (result.kind === 'noFlow') await forget(recipient, binding, ports);
    if (result.kind !== 'answered') return [];
    if (isDecisive(result.response)) decided.resolve(result.response);
    return [result.response];
  });
  const all = Promise.all(branches).then((answers) => bestResponse(answers.flat()));
  return Promise.race([decided.promise, all]);
}

interface Copy {
  readonly envelope: RequestEnvelope;
  readonly headers: [string, string][];
  readonly id: string;
}

async function forwardTo(
  { contactUri, gatewayId, flowId }: Binding,
  { envelope, headers, id }: Copy,
  { leases, gateways, telemetry }: MessengerPorts,
  nowMs: number,
): Promise<ForwardResult> {
  try {
    const lease = await leases.find(gatewayId, nowMs);
    if (lease === undefined) return { kind: 'noFlow' };
    const { method, body } = envelope.request;
    const request = { method, requestUri: contactUri, headers, body };
    return await gateways.forward(gatewayIdOf(gatewayId), lease.address, {
      ...{ kind: 'forward', id, flowId: flowIdOf(flowId), request, answerWithinMs: ANSWER_WITHIN_MS },
    });
  } catch (error) {
    telemetry.log('warn', 'message', { gateway: gatewayId, ...failureFields(error) });
    return { kind: 'unanswered' };
  }
}

/** The flow of this binding is gone: so is the binding, unless it was refreshed meanwhile. */
async function forget(recipient: Address, binding: Binding, { table, telemetry }: MessengerPorts): Promise<void> {
  try {
    await removeBinding(table, recipient, binding);
  } catch (error) {
    telemetry.log('warn', 'message', { flow: binding.flowId, ...failureFields(error) });
  }
}
