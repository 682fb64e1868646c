/** Taken TCP ports of this machine. */
import { createServer } from 'node:net';

/** Tells whether something listens on the port already, on any local address. */
export async function isPortTaken(port: number): Promise<boolean> {
  return !((await canListen(port)) && (await canListen(port, '127.0.0.1')));
}

function canListen(port: number, host?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host }, () => server.close(() => resolve(true)));
  });
}
