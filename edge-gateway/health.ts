/** The gateway's own HTTP: health, readiness, metrics, the panel's files and its settings. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { NOT_KEPT, type PanelFile } from './panel-files.ts';

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words; also how many flows there are. */
  readonly detail: Readonly<Record<string, unknown>>;
}

export function createHttpListener(ports: {
  panel: ReadonlyMap<string, PanelFile>;
  registry: Registry;
  publicMetrics: boolean;
  readiness: () => Readiness;
  /** Whether functions can be reached, whatever they answer. */
  reachesFunctions: () => boolean;
  /** What panel and console ask for, made anew for each visitor. */
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
  else if (path === '/healthz/functions') {
    const reachesFunctions = ports.reachesFunctions();
    end(response, reachesFunctions ? 200 : 503, 'application/json', `${JSON.stringify({ reachesFunctions })}\n`);
  } else if (path === '/readyz') {
    const { ready, detail } = ports.readiness();
    end(response, ready ? 200 : 503, 'application/json', `${JSON.stringify({ ready, ...detail })}\n`);
  } else if (path === '/metrics' && ports.publicMetrics) await answerMetrics(response, ports.registry);
  else if (path === '/panel-config.json')
    end(response, 200, 'application/json', JSON.stringify(ports.panelConfig()), NOT_KEPT);
  else {
    const file = ports.panel.get(path);
    if (file === undefined)
      end(response, 404, 'text/plain', 'Not found. SIP clients connect by WebSocket, subprotocol sip.\n');
    else end(response, 200, file.type, file.body, file.headers);
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
