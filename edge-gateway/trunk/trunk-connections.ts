/** Connections to SIP peers of tenants over TCP or TLS (RFC 3261 section 18): opened when needed, one a peer, or accepted. */
import { resolveSrv } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, createServer, isIP, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { TlsFiles } from '../config.ts';
import { Flow, type FlowTable, type Transport } from '../flow-table.ts';
import type { Telemetry } from '../telemetry.ts';
import { SipStream } from './sip-stream.ts';

/** Where a trunk is: a host with its port, or a domain whose SRV records name them (RFC 3263 section 4.2). */
export interface TrunkPeer {
  readonly transport: Extract<Transport, 'TCP' | 'TLS'>;
  readonly host: string;
  readonly port?: number | undefined;
}

export interface TrunkSettings {
  readonly connectMs: number;
  /** PEM of further certificate authorities that peers may show; the system's are always trusted. */
  readonly authorities?: string | undefined;
  readonly maxConnections: number;
}

export interface TrunkPorts {
  readonly flows: FlowTable;
  readonly telemetry: Telemetry;
  readonly nowMs: () => number;
  readonly events: {
    readonly received: (flow: Flow, data: Buffer, isBinary: boolean) => void;
    readonly drained: (flow: Flow) => void;
    readonly closed: (flow: Flow) => void;
  };
}

const DEFAULT_PORT = { TCP: 5060, TLS: 5061 } as const;
const SERVICE = { TCP: '_sip._tcp', TLS: '_sips._tcp' } as const;
const KEEP_ALIVE_MS = 30_000;

export class TrunkConnections {
  readonly #settings: TrunkSettings;
  readonly #ports: TrunkPorts;
  readonly #opened = new Map<string, Promise<Flow>>();
  #accepted = 0;

  constructor(settings: TrunkSettings, ports: TrunkPorts) {
    this.#settings = settings;
    this.#ports = ports;
  }

  /**
   * Gives the connection to a peer, opening it when there is none.
   * @throws {Error} when no address of the peer can be reached in time, or its certificate is not right
   */
  async connect(peer: TrunkPeer): Promise<Flow> {
    const key = `${peer.transport} ${peer.host} ${peer.port ?? ''}`;
    const known = this.#opened.get(key);
    // Who hears that a connection is gone may ask for another one before it is forgotten here.
    if (known !== undefined && !(await known).closed) return known;
    const meanwhile = this.#opened.get(key);
    if (meanwhile !== undefined && meanwhile !== known) return meanwhile;
    const opening = this.#open(peer);
    this.#opened.set(key, opening);
    const forget = (): boolean => this.#opened.get(key) === opening && this.#opened.delete(key);
    opening.then((flow) => flow.stream.once('close', forget), forget);
    return opening;
  }

  async #open(peer: TrunkPeer): Promise<Flow> {
    let problem: unknown;
    for (const { host, port } of await addressesOf(peer)) {
      try {
        const socket = await this.#dial(peer, host, port);
        return this.#attach(socket, peer.transport, host, port);
      } catch (error) {
        problem = error;
        this.#ports.telemetry.log.warn({ hop: 'trunk', host, port, err: String(error) }, 'peer not reached');
      }
    }
    throw problem ?? new Error(`No address of ${peer.host}`);
  }

  async #dial({ transport, host: name }: TrunkPeer, host: string, port: number): Promise<Socket> {
    const { connectMs, authorities } = this.#settings;
    const tls = { host, port, ca: authorities, servername: isIP(name) === 0 ? name : undefined };
    const socket = transport === 'TLS' ? tlsConnect(tls) : connect({ host, port });
    try {
      await once(socket, transport === 'TLS' ? 'secureConnect' : 'connect', { signal: AbortSignal.timeout(connectMs) });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return socket;
  }

  /** Listens for peers that connect by themselves. @param tls makes it a TLS listener */
  listener(transport: 'TCP'): Server;
  listener(transport: 'TLS', tls: TlsFiles): Server;
  listener(transport: TrunkPeer['transport'], tls?: TlsFiles): Server {
    const accept = (socket: Socket | TLSSocket): void => {
      socket.on('error', () => socket.destroy());
      if (this.#accepted >= this.#settings.maxConnections) {
        this.#ports.telemetry.counts.flowsRefused++;
        socket.destroy();
        return;
      }
      this.#accepted++;
      socket.once('close', () => this.#accepted--);
      this.#attach(socket, transport, (socket.remoteAddress ?? '').replace(/^::ffff:/, ''), socket.remotePort ?? 0);
    };
    return tls === undefined ? createServer(accept) : createTlsServer(tls, accept);
  }

  #attach(socket: Socket, transport: Transport, address: string, port: number): Flow {
    const { flows, telemetry, events, nowMs } = this.#ports;
    socket.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true);
    const input = new SipStream();
    const control = {
      // TCP itself finds a dead peer; not every peer answers the keep-alives of RFC 5626.
      ping: () => {
        flow.heardSincePing = true;
      },
      terminate: () => void socket.destroy(),
      close: () => void socket.end(),
    };
    const flow = new Flow(control, socket, transport, address, port, nowMs());
    flows.add(flow);
    telemetry.counts.flowsOpened++;
    telemetry.log.info({ hop: 'trunk', flow: flow.id, address, port, transport }, 'connected');
    socket.on('data', (bytes) => receive(bytes));
    socket.on('drain', () => events.drained(flow));
    socket.on('error', (error) => telemetry.log.info({ hop: 'trunk', flow: flow.id, err: error.message }, 'broken'));
    socket.once('close', () => {
      flow.closed = true;
      flows.remove(flow);
      events.closed(flow);
    });
    const receive = (bytes: Buffer): void => {
      try {
        for (const item of input.push(bytes)) {
          if (item.kind === 'message') events.received(flow, item.data, true);
          else socket.write('\r\n');
        }
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        telemetry.log.warn({ hop: 'trunk', flow: flow.id, reason: error.message }, 'stream cannot be read');
        socket.destroy();
      }
    };
    return flow;
  }
}

/** In the order in which they are to be tried. */
async function addressesOf({ transport, host, port }: TrunkPeer): Promise<{ host: string; port: number }[]> {
  const fallback = [{ host, port: port ?? DEFAULT_PORT[transport] }];
  if (port !== undefined || isIP(host) !== 0) return fallback;
  try {
    const records = await resolveSrv(`${SERVICE[transport]}.${host}`);
    const ordered = records.toSorted((a, b) => a.priority - b.priority || b.weight - a.weight);
    return ordered.length > 0 ? ordered.map(({ name, port: at }) => ({ host: name, port: at })) : fallback;
  } catch {
    return fallback;
  }
}
