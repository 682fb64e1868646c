/** The gateway's own HTTP: health, readiness, metrics, the panel's files and its settings. */
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import type { Registry } from 'prom-client';

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words; also how many flows there are. */
  readonly detail: Readonly<Record<string, unknown>>;
}

interface PanelFile {
  readonly type: string;
  readonly body: Buffer;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.map': 'application/json',
};

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const;

/** It may carry credentials. */
const NOT_KEPT = { ...SECURITY_HEADERS, 'cache-control': 'no-store' } as const;

/** Reads the panel once; it is small and the same for everybody. */
export function loadPanel(directory: string | undefined): ReadonlyMap<string, PanelFile> {
  const files = new Map<string, PanelFile>();
  if (directory === undefined) return files;
  for (const name of readdirSync(directory)) {
    const type = CONTENT_TYPES[extname(name)];
    if (type !== undefined) files.set(`/${name}`, { type, body: readFileSync(join(directory, name)) });
  }
  const index = files.get('/index.html');
  if (index !== undefined) files.set('/', index);
  return files;
}

export function createHttpListener(ports: {
  panel: ReadonlyMap<string, PanelFile>;
  registry: Registry;
  publicMetrics: boolean;
  readiness: () => Readiness;
  /** What the panel asks for before it calls, made anew for each visitor. */
  panelConfig: () => unknown;
}): RequestListener {
  return (request, response) => {
    void answerHttp(request, response, ports).catch(() => response.destroy());
  };
}

async function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  ports: Parameters<typeof createHttpListener>[0],
): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    end(response, 405, 'text/plain', 'Only GET and HEAD are answered here.\n', { allow: 'GET, HEAD' });
    return;
  }
  if (path === '/healthz') end(response, 200, 'application/json', '{"status":"ok"}\n');
  else if (path === '/readyz') {
    const { ready, detail } = ports.readiness();
    end(response, ready ? 200 : 503, 'application/json', `${JSON.stringify({ ready, ...detail })}\n`);
  } else if (path === '/metrics' && ports.publicMetrics) await answerMetrics(response, ports.registry);
  else if (path === '/panel-config.json')
    end(response, 200, 'application/json', JSON.stringify(ports.panelConfig()), NOT_KEPT);
  else {
    const file = ports.panel.get(path);
    if (file === undefined)
      end(response, 404, 'text/plain', 'Not found. SIP clients connect by WebSocket, subprotocol sip.\n');
    else end(response, 200, file.type, file.body, SECURITY_HEADERS);
  }
}

/** Prometheus text of all metrics. */
export async function answerMetrics(response: ServerResponse, registry: Registry): Promise<void> {
  end(response, 200, registry.contentType, await registry.metrics());
}

function end(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
}
