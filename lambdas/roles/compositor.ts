/** Compositor (RFC 3903 event state compositor): check a PUBLISH, decide its write, commit it. */
import type { OutcomeInput } from '#contract/outcome.ts';
import type { EnvelopedRequest, RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity } from '#contract/schemas.ts';
import { bodyText } from '#core/content-coding.ts';
import { SipRejection } from '#core/error.ts';
import {
  type Address,
  addressOfRequestUri,
  aorOfIdentity,
  forbidden,
  isStorable,
  mayPublishFor,
  requireOwnTenant,
} from '#core/identity.ts';
import {
  conditionalRequestFailed,
  newEntityTag,
  newPublicationId,
  PUBLICATION_LIMITS,
  type PublishedDocument,
  publishOperation,
  requestedExpiry,
} from '#core/publication.ts';
import { type PublishedEventPackage, publishedPackage } from '#core/published-package.ts';
import { parseParameterized } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { grantExpiry } from '#core/subscription.ts';
import { mayPublisherServe, NO_RULES, servesByGroup, type TenantWatch } from '#core/watch-policy.ts';
import type { PublicationWrite } from '#table/publication-expression.ts';
import { commitPublication, type PublicationResult } from '#table/publication-write.ts';
import type { Table } from '#table/table.ts';
import { DEFAULT_POLICY } from '#table/tenant-item.ts';
import { loadWatchRules } from '#table/watch-rules.ts';
import { asAuthenticated } from './authenticator.ts';
import type { RequestPorts } from './request-ports.ts';

export interface CompositorPorts extends RequestPorts {
  /** Random bytes that nobody can guess. */
  readonly randomBytes: (size: number) => Uint8Array;
}

/** When there are too many publications: some of them expire. */
const RETRY_WHEN_FULL_SECONDS = 60;
const RANDOM_BYTES = 14;

/**
 * Answers one PUBLISH. One write; the tenant is cached.
 * @throws {SipRejection} 401 and other refusals before the sender is known; later ones come as an outcome
 */
export async function publish(envelope: RequestEnvelope, ports: CompositorPorts, nowMs: number): Promise<OutcomeInput> {
  const { request } = envelope;
  return asAuthenticated(envelope, ports, nowMs, async (identity, headers) => {
    requireOwnTenant(identity, request.requestUri, headers);
    const presentity = publishablePresentity(identity, request);
    const eventPackage = publishedPackage(headers.get('event'));
    const requestedSeconds = requestedExpiry(headers);
    const tenant = await ports.loadTenant(identity.domain);
    await requireServed(identity, presentity, tenant?.watch, ports.table);
    const grantedSeconds = grantExpiry(requestedSeconds, tenant?.policy ?? DEFAULT_POLICY);

    const decision = { request, headers, eventPackage, identity, grantedSeconds };
    const { write, entityTag } = decideWrite(decision, ports.randomBytes(RANDOM_BYTES), nowMs);
    if (write) requireDone(await commitPublication(ports.table, presentity, write, nowMs));
    return publishedAnswer(entityTag, grantedSeconds);
  });
}

interface Decision {
  readonly request: EnvelopedRequest;
  readonly headers: HeaderFields;
  readonly eventPackage: PublishedEventPackage;
  readonly identity: Identity;
  readonly grantedSeconds: number;
}

function publishablePresentity(identity: Identity, { requestUri }: EnvelopedRequest): Address {
  const presentity = addressOfRequestUri(requestUri);
  if (!mayPublishFor(identity, presentity)) throw forbidden();
  if (!isStorable(presentity)) throw new SipRejection(404, 'Not Found');
  return presentity;
}

/**
 * A publisher publishes for whom its tenant says; one GetItem of the account only where groups say so.
 * @throws {SipRejection} 403
 */
async function requireServed(
  identity: Identity,
  address: Address,
  watch: TenantWatch | undefined,
  table: Table,
): Promise<void> {
  if (identity.role !== 'publisher' || watch === undefined || watch.publishers === 'everyone') return;
  const rules = servesByGroup(watch) ? await loadWatchRules(table, address) : NO_RULES;
  if (!mayPublisherServe(identity.user, { address, rules }, watch)) throw forbidden();
}

/** @returns no write for an initial PUBLISH that is to live for no time */
function decideWrite(
  { request, headers, eventPackage, identity, grantedSeconds }: Decision,
  random: Uint8Array,
  nowMs: number,
): { readonly write?: PublicationWrite; readonly entityTag: string } {
  const operation = publishOperation(headers, request.body !== '', grantedSeconds);
  const publicationId = operation.kind === 'initial' ? newPublicationId(random) : operation.publicationId;
  const entityTag = newEntityTag(publicationId, random);
  const names = { publicationId, event: eventPackage.name, publisher: aorOfIdentity(identity) };
  const target = { ...names, callId: headers.get('call-id') };
  const granted = { entityTag, expiresAtMs: nowMs + grantedSeconds * 1_000 };
  switch (operation.kind) {
    case 'initial': {
      const document = readDocument(request, headers, eventPackage, nowMs);
      return grantedSeconds === 0
        ? { entityTag }
        : { entityTag, write: { kind: 'initial', ...target, ...granted, document } };
    }
    case 'modify': {
      const document = readDocument(request, headers, eventPackage, nowMs);
      return {
        entityTag,
        write: { kind: 'modify', ...target, ...granted, expectedTag: operation.entityTag, document },
      };
    }
    case 'refresh':
      return { entityTag, write: { kind: 'refresh', ...target, ...granted, expectedTag: operation.entityTag } };
    case 'remove':
      return { entityTag, write: { kind: 'remove', ...target, expectedTag: operation.entityTag } };
    default:
      return operation satisfies never;
  }
}

function readDocument(
  request: EnvelopedRequest,
  headers: HeaderFields,
  { publishedTypes, parse }: PublishedEventPackage,
  nowMs: number,
): PublishedDocument {
  if (request.body === '') throw new SipRejection(400, 'Missing Body');
  const contentType = parseParameterized(headers.get('content-type') ?? '').value.toLowerCase();
  if (!publishedTypes.includes(contentType)) {
    throw new SipRejection(415, 'Unsupported Media Type', [['Accept', publishedTypes.join(', ')]]);
  }
  return parse(bodyText(request, headers, PUBLICATION_LIMITS.bodyBytes), nowMs);
}

function requireDone(result: PublicationResult): void {
  switch (result) {
    case 'done':
      return;
    case 'unmatched':
      throw conditionalRequestFailed();
    case 'full':
      throw new SipRejection(503, 'Too Many Publications', [['Retry-After', String(RETRY_WHEN_FULL_SECONDS)]]);
    case 'crowded':
      throw new SipRejection(413, 'Too Many Dialogs');
    default:
      result satisfies never;
  }
}

function publishedAnswer(entityTag: string, grantedSeconds: number): OutcomeInput {
  const headers: [string, string][] = [
    ['SIP-ETag', entityTag],
    ['Expires', String(grantedSeconds)],
  ];
  return { response: { status: 200, reason: 'OK', headers } };
}
