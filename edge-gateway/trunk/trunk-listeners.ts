/** Where trunks reach this gateway: listeners over TCP and TLS, each with the host and port that trunks are told. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { type GatewayConfig, readTrunkTlsFiles, type TlsFiles } from '../config.ts';
import { listen } from '../websocket-server.ts';
import { TrunkConnections, type TrunkPorts } from './trunk-connections.ts';
import type { TrunkLinkPorts } from './trunk-link.ts';

export interface TrunkListeners extends Pick<TrunkLinkPorts, 'connections' | 'listener'> {
  /** Opens the listeners; gives their ports. */
  open(): Promise<{ readonly tcp: number | undefined; readonly tls: number | undefined }>;
  /** New connections are refused from now on. */
  close(): void;
}

/** @returns undefined when no listener is configured */
export function createTrunkListeners(config: GatewayConfig, ports: TrunkPorts): TrunkListeners | undefined {
  const { TRUNK_PORT, TRUNK_TLS_PORT, TRUNK_ADVERTISED_HOST, TRUNK_AUTHORITIES_FILE } = config;
  if (TRUNK_PORT === undefined && TRUNK_TLS_PORT === undefined) return undefined;
  const authorities = TRUNK_AUTHORITIES_FILE === undefined ? undefined : readFileSync(TRUNK_AUTHORITIES_FILE, 'utf8');
  const settings = { connectMs: config.TRUNK_CONNECT_MS, maxConnections: config.MAX_TRUNK_CONNECTIONS, authorities };
  const connections = new TrunkConnections(settings, ports);
  const servers: Server[] = [];
  const opened = new Map<string, { transport: 'TCP' | 'TLS'; host: string }>();
  const start = async (transport: 'TCP' | 'TLS', wanted: number | undefined, tls: TlsFiles | undefined) => {
    if (wanted === undefined) return undefined;
    const server = tls === undefined ? connections.listener('TCP') : connections.listener('TLS', tls);
    servers.push(server);
    const port = await listen(server, wanted, config.HOST);
    opened.set(transport, { transport, host: `${TRUNK_ADVERTISED_HOST}:${port}` });
    return port;
  };
  return {
    connections,
    listener: (transport) => opened.get(transport) ?? opened.values().next().value,
    open: async () => ({
      tcp: await start('TCP', TRUNK_PORT, undefined),
      tls: await start('TLS', TRUNK_TLS_PORT, readTrunkTlsFiles(config)),
    }),
    close: () => {
      for (const server of servers) server.close();
    },
  };
}
