/** SIP over WebSocket (RFC 7118): the handshake with its limits, and the life of a connection. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Identity } from '#contract/schemas.ts';
import type { SignInAnswer } from '#contract/sign-in.ts';
import type { GatewayConfig, TlsFiles } from './config.ts';
import { Flow, type FlowTable, type Transport } from './flow-table.ts';
import { HandshakeRates } from './handshake-rates.ts';
import { type HandshakeToken, type SignInByToken, tokenOf } from './handshake-token.ts';
import type { IdentityKeeper } from './identity-keeper.ts';
import { LAMP_PATH, LAMP_PROTOCOL } from './lamps/lamp-messages.ts';
import type { LampStreams } from './lamps/lamp-streams.ts';
import type { Outbox } from './outbox.ts';
import type { Telemetry } from './telemetry.ts';
import type { TenantLedger } from './tenants/tenant-ledger.ts';

/** A frame past this closes the flow (1009); a message of over 64 KiB in a smaller frame is answered 513. */
const MAX_FRAME_BYTES = 256 * 1024;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const LISTEN_BACKLOG = 4_096;
const RETRY_SECONDS = 5;

export interface FlowEvents {
  readonly received: (flow: Flow, data: Buffer, isBinary: boolean) => void;
  readonly drained: (flow: Flow) => void;
  readonly closed: (flow: Flow) => void;
}

export interface SipServerPorts {
  readonly flows: FlowTable;
  readonly outbox: Outbox;
  readonly telemetry: Telemetry;
  readonly nowMs: () => number;
  readonly events: FlowEvents;
  readonly identities: Pick<IdentityKeeper, 'prove'>;
  readonly signIn: SignInByToken;
  readonly tenants: Pick<TenantLedger, 'hasRoomFor'>;
  /** Connections whose clients speak JSON. */
  readonly lampStreams: Pick<LampStreams, 'open'>;
}

export interface SipWebSocketServer {
  readonly server: Server;
  listen(): Promise<number>;
  /** Refuses new connections from now on. */
  stopAccepting(): void;
  close(): Promise<void>;
}

export function createSipWebSocketServer(
  config: GatewayConfig,
  tls: TlsFiles | undefined,
  http: RequestListener,
  ports: SipServerPorts,
): SipWebSocketServer {
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
    handleProtocols: (_offered, request) => protocolOf(request),
  });
  const server: Server = tls === undefined ? createServer(http) : createTlsServer(tls, http);
  server.headersTimeout = HANDSHAKE_TIMEOUT_MS;
  server.requestTimeout = HANDSHAKE_TIMEOUT_MS;
  let accepting = true;
  const handshakes = new HandshakeRates(config);
  const transport = publicTransport(config);
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    const refusal = check(request) ?? hurry(request);
    const token = tokenOf(request);
    if (refusal !== undefined) turnAway(request, stream, refusal);
    else if (token === undefined && isOfLamps(request)) turnAway(request, stream, PROOF_MISSING);
    else if (token === undefined) admit(request, stream, head);
    else void bySignIn(token, request, stream, head);
  });
  const check = (request: IncomingMessage): Refusal | undefined =>
    accepting
      ? refuseHandshake(config, request, ports.flows)
      : { status: '503 Service Unavailable', retrySeconds: RETRY_SECONDS };
  const hurry = (request: IncomingMessage): Refusal | undefined =>
    handshakes.take(addressOf(request), ports.nowMs())
      ? undefined
      : { status: '429 Too Many Handshakes From This Address', retrySeconds: RETRY_SECONDS };

  function admit(request: IncomingMessage, stream: Duplex, head: Buffer, identity?: Identity): void {
    const refusal = check(request);
    if (refusal !== undefined) {
      turnAway(request, stream, refusal);
      return;
    }
    webSockets.handleUpgrade(request, stream, head, (socket) => {
      const port = request.socket.remotePort ?? 0;
      const flow = new Flow(socket, stream, transport, addressOf(request), port, ports.nowMs());
      openFlow(flow, socket, isOfLamps(request) ? { ...ports, events: ports.lampStreams.open(flow, socket) } : ports);
      ports.identities.prove(flow, identity, request.headers['user-agent']);
    });
  }

  async function bySignIn(
    token: HandshakeToken,
    request: IncomingMessage,
    stream: Duplex,
    head: Buffer,
  ): Promise<void> {
    const answer = await ports.signIn(token, addressOf(request));
    if (stream.destroyed) return;
    if (answer.kind !== 'proven') turnAway(request, stream, refusalOf(answer));
    else if (ports.tenants.hasRoomFor(answer.identity.domain, 'flows')) admit(request, stream, head, answer.identity);
    else turnAway(request, stream, TENANT_IS_FULL);
  }

  function turnAway(request: IncomingMessage, stream: Duplex, refusal: Refusal): void {
    ports.telemetry.counts.flowsRefused++;
    const { status } = refusal;
    ports.telemetry.log.info({ hop: 'handshake', address: addressOf(request), refusal: status }, 'connection refused');
    refuse(stream, refusal, protocolOf(request));
  }
  return {
    server,
    listen: () => listen(server, config.PORT, config.HOST),
    stopAccepting: () => {
      accepting = false;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** What clients see: WSS with a certificate of our own, or as configured. */
export const publicTransport = (config: GatewayConfig): Transport =>
  config.PUBLIC_TRANSPORT ?? (config.TLS_CERTIFICATE_FILE === undefined ? 'WS' : 'WSS');

export function listen(server: NetServer, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, backlog: LISTEN_BACKLOG }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

const addressOf = (request: IncomingMessage): string => (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');

/** What the path is for: SIP, or the JSON stream of lamps. */
const isOfLamps = ({ url }: IncomingMessage): boolean => (url ?? '').split('?', 1)[0] === LAMP_PATH;
const protocolOf = (request: IncomingMessage): string => (isOfLamps(request) ? LAMP_PROTOCOL : 'sip');

/** What a client is told that gets no connection. */
interface Refusal {
  /** Of the HTTP status line. */
  readonly status: string;
  /** When to come again. */
  readonly retrySeconds?: number;
  readonly challenge?: string;
}

/** SIP can be asked for credentials in its own words, JSON cannot. */
const PROOF_MISSING: Refusal = { status: '401 Unauthorized', challenge: 'Bearer' };

function refusalOf(answer: Exclude<SignInAnswer, { kind: 'proven' }>): Refusal {
  if (answer.kind === 'refused') return { status: '401 Unauthorized', challenge: 'Bearer error="invalid_token"' };
  return { status: '503 Service Unavailable', retrySeconds: answer.retryAfterSeconds };
}

const TENANT_IS_FULL: Refusal = { status: '503 Too Many Connections Of This Tenant', retrySeconds: 30 };

/** @returns `undefined` when the connection is welcome */
function refuseHandshake(config: GatewayConfig, request: IncomingMessage, flows: FlowTable): Refusal | undefined {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((item) => item.trim().toLowerCase());
  const protocol = protocolOf(request);
  if (!offered.includes(protocol)) return { status: `400 WebSocket Subprotocol ${protocol} Required` };
  if (!isOriginAllowed(config.ALLOWED_ORIGINS, request)) return { status: '403 Origin Not Allowed' };
  if (flows.size >= config.MAX_FLOWS) return { status: '503 Too Many Connections', retrySeconds: RETRY_SECONDS };
  if (flows.countOfAddress(addressOf(request)) >= config.MAX_FLOWS_PER_ADDRESS)
    return { status: '429 Too Many Connections From This Address', retrySeconds: RETRY_SECONDS };
  return undefined;
}

/** A browser always sends Origin; a client that is none sends none and is not what this list guards against. */
function isOriginAllowed(allowed: readonly string[], request: IncomingMessage): boolean {
  const { origin } = request.headers;
  if (allowed.length === 0 || origin === undefined) return true;
  if (allowed.includes(origin)) return true;
  return allowed.includes('self') && URL.canParse(origin) && new URL(origin).host === request.headers.host;
}

function refuse(stream: Duplex, { status, retrySeconds, challenge }: Refusal, protocol: string): void {
  const retry = retrySeconds === undefined ? '' : `Retry-After: ${retrySeconds}\r\n`;
  const asked = challenge === undefined ? '' : `WWW-Authenticate: ${challenge}\r\n`;
  const body = `${status.slice(4)}\n`;
  stream.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nSec-WebSocket-Protocol: ${protocol}\r\n${retry}${asked}Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function openFlow(
  flow: Flow,
  socket: WebSocket,
  ports: { flows: FlowTable; outbox: Outbox; telemetry: Telemetry; events: FlowEvents },
): void {
  const { flows, telemetry, events } = ports;
  flows.add(flow);
  telemetry.counts.flowsOpened++;
  telemetry.log.debug({ hop: 'flow', flow: flow.id, address: flow.sourceAddress }, 'flow opened');
  socket.on('message', (data, isBinary) => events.received(flow, data as Buffer, isBinary));
  socket.on('pong', () => {
    flow.heardSincePing = true;
  });
  socket.on('error', (error) => telemetry.log.info({ hop: 'flow', flow: flow.id, err: error.message }, 'flow error'));
  socket.on('close', (code) => {
    if (flow.closed) return;
    flow.closed = true;
    flows.remove(flow);
    telemetry.log.debug({ hop: 'flow', flow: flow.id, code }, 'flow closed');
    events.closed(flow);
  });
  flow.stream.on('drain', () => events.drained(flow));
}

/** Closes a flow in order: what is queued leaves first. */
export function closeFlow(flow: Flow, outbox: Outbox, code: number, reason: string): void {
  outbox.flush();
  flow.socket.close(code, reason);
}
