/** Free and taken TCP ports of this machine. */
import { createServer } from 'node:net';

/** A port that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  const port = await listenOnce(0);
  if (port === undefined) throw new Error('no free port');
  return port;
}

/** Tells whether something listens on the port already, on any local address. */
export async function isPortTaken(port: number): Promise<boolean> {
  return (await listenOnce(port)) === undefined || (await listenOnce(port, '127.0.0.1')) === undefined;
}

function listenOnce(port: number, host?: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}
