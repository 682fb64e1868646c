/** The way to a host: name, connection, certificate. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Check, Finding } from './checks.ts';

const CONNECT_WITHIN_MS = 5_000;
const DAY_MS = 86_400_000;
/** Whoever renews a certificate automatically has done so by then. */
const DAYS_TO_WORRY = 14;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'https:': 443, 'wss:': 443, 'http:': 80, 'ws:': 80 };

/** @param part what is reached there, as checks are named by */
export function networkChecks(part: string, address: string, nowMs: number): Check[] {
  const url = new URL(address);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port) || (DEFAULT_PORTS[url.protocol] ?? 0);
  const isSecure = url.protocol === 'https:' || url.protocol === 'wss:';
  const tcp: Check = {
    ...{ name: `${part} TCP`, needs: [`${part} DNS`] },
    advice: `Is the ${part} running, and does a firewall or security group let port ${port} of ${host} through?`,
    run: () => connects(host, port),
  };
  return [
    {
      name: `${part} DNS`,
      advice: `Make a DNS record for ${host}, or correct the address.`,
      run: () => resolves(host),
    },
    tcp,
    ...(isSecure ? [certificateCheck(part, host, port, nowMs)] : []),
  ];
}

/** Name of the last check of the way there. */
export const lastNetworkCheck = (part: string, address: string): string =>
  /^(https|wss):/.test(address) ? `${part} TLS` : `${part} TCP`;

async function resolves(host: string): Promise<Finding> {
  if (isIP(host)) return { detail: `${host} is an address` };
  const addresses = await lookup(host, { all: true });
  return { detail: `${host} is ${addresses.map(({ address }) => address).join(', ')}` };
}

async function connects(host: string, port: number): Promise<Finding> {
  const socket = connectTcp({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_WITHIN_MS) });
    return { detail: `${socket.remoteAddress} port ${port}` };
  } finally {
    socket.destroy();
  }
}

function certificateCheck(part: string, host: string, port: number, nowMs: number): Check {
  return {
    ...{ name: `${part} TLS`, needs: [`${part} TCP`] },
    advice: `The certificate must be valid for ${host} and signed by an authority that clients know.`,
    run: async () => {
      const socket = connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }) });
      try {
        await once(socket, 'secureConnect', { signal: AbortSignal.timeout(CONNECT_WITHIN_MS) });
        return readCertificate(socket, nowMs);
      } finally {
        socket.destroy();
      }
    },
  };
}

function readCertificate(socket: TLSSocket, nowMs: number): Finding {
  const { subject, valid_to: validTo } = socket.getPeerCertificate();
  const days = Math.floor((Date.parse(validTo) - nowMs) / DAY_MS);
  const name = [subject?.CN ?? 'a certificate'].flat()[0];
  const detail = `${socket.getProtocol()}, ${name}, ${days} days left`;
  return days < DAYS_TO_WORRY ? { detail, warning: `Renew the certificate within ${days} days.` } : { detail };
}
