/** Registrar (RFC 3261 section 10.3): load the user, decide what changes, commit, list what stands. */
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity } from '#contract/schemas.ts';
import {
  applyChanges,
  type Binding,
  type BindingChange,
  composeContact,
  decideChanges,
  outOfOrder,
  type RegisterContext,
  readContacts,
} from '#core/binding.ts';
import { SipRejection } from '#core/error.ts';
import { type Address, addressOfHeader, forbidden, isSameAddress, requireOwnTenant } from '#core/identity.ts';
import { parseCSeq, splitList } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { loadRegistration, type Registration, removeBinding, saveBinding } from '#table/binding-item.ts';
import type { Table } from '#table/table.ts';
import { DEFAULT_POLICY } from '#table/tenant-item.ts';
import { resealHa1 } from '#table/user-item.ts';
import { asAuthenticated } from './authenticator.ts';
import { handOver } from './mailbox.ts';
import type { RequestPorts } from './request-ports.ts';

/**
 * Answers one REGISTER. One Query serves authentication and bindings; then one write a changed contact.
 * @throws {SipRejection} 401 and other refusals before the sender is known; later ones come as an outcome
 */
export async function register(envelope: RequestEnvelope, ports: RequestPorts, nowMs: number): Promise<OutcomeInput> {
  const registrations = readOnce((address: Address) => loadRegistration(ports.table, address, nowMs));
  const loadUser = async (domain: string, user: string) => (await registrations({ domain, user })).user;
  return asAuthenticated(envelope, { ...ports, loadUser }, nowMs, async (identity, headers) => {
    requireOwnTenant(identity, envelope.request.requestUri, headers);
    if (!isSameAddress(addressOfHeader(headers, 'to'), identity)) throw forbidden();
    const [registration, tenant] = await Promise.all([registrations(identity), ports.loadTenant(identity.domain)]);
    if (!registration.user) throw forbidden();

    const policy = tenant?.policy ?? DEFAULT_POLICY;
    const wishes = readContacts(headers.all('contact'), headers.get('expires'), policy);
    const changes = decideChanges(wishes, registration.bindings, contextOf(envelope, headers), nowMs);
    await commit(ports.table, identity, registration.bindings, changes);
    await resealHa1(ports.table, await ports.vault(), registration.user);

    const saved = changes.find(({ kind }) => kind === 'save')?.binding;
    // After the write: a message that came before it was stored, one that comes later finds the binding.
    const instructions =
      saved && policy.storeAndForward
        ? await handOver(identity, { ...saved, flowId: envelope.flowId }, ports.table, nowMs)
        : undefined;
    const standing = applyChanges(registration.bindings, changes);
    const isOutbound = wishes !== '*' && wishes.some((wish) => wish.isOutbound) && supportsOutbound(headers);
    return {
      response: { status: 200, reason: 'OK', headers: answerHeaders(standing, isOutbound, nowMs) },
      ...(instructions && { instructions }),
      ...(changes.length > 0 && { registered: standing.some((binding) => isOnFlow(binding, envelope)) }),
    };
  });
}

async function commit(
  table: Table,
  identity: Identity,
  current: readonly Binding[],
  changes: readonly BindingChange[],
): Promise<void> {
  const contacts = new Map(current.map(({ id, contactUri }) => [id, contactUri]));
  const written = changes.map(({ kind, binding }) => {
    if (kind === 'remove') return removeBinding(table, identity, binding);
    return saveBinding(table, identity, binding, contacts.get(binding.id) !== binding.contactUri);
  });
  if ((await Promise.all(written)).includes(false)) throw outOfOrder();
}

function contextOf({ gatewayId, flowId }: RequestEnvelope, headers: HeaderFields): RegisterContext {
  const callId = headers.get('call-id');
  const cseq = parseCSeq(headers.get('cseq') ?? '');
  if (!callId || !cseq) throw new SipRejection(400, callId ? 'Bad CSeq' : 'Missing Call-ID');
  return { gatewayId, flowId, callId, cseq: cseq.sequence, userAgent: headers.get('user-agent')?.slice(0, 256) };
}

function answerHeaders(bindings: readonly Binding[], isOutbound: boolean, nowMs: number): [string, string][] {
  const contacts = bindings.map((binding): [string, string] => ['Contact', composeContact(binding, nowMs)]);
  const date: [string, string] = ['Date', new Date(nowMs).toUTCString()];
  return isOutbound ? [...contacts, ['Require', 'outbound'], date] : [...contacts, date];
}

function supportsOutbound(headers: HeaderFields): boolean {
  return headers.all('supported').some((value) => splitList(value).some((tag) => tag.toLowerCase() === 'outbound'));
}

const isOnFlow = (binding: Binding, { gatewayId, flowId }: RequestEnvelope): boolean =>
  binding.flowId === flowId && binding.gatewayId === gatewayId;

/** Shares one read between the authenticator and the registrar, which ask for the same user. */
function readOnce(load: (address: Address) => Promise<Registration>): (address: Address) => Promise<Registration> {
  let read: { readonly address: Address; readonly registration: Promise<Registration> } | undefined;
  return (address) => {
    if (!read || !isSameAddress(read.address, address)) read = { address, registration: load(address) };
    return read.registration;
  };
}
