/** The functions behind a gateway under test: an HTTP server that speaks Lambda's Invoke and answers as told. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { type CallSnapshot, callReport } from '#contract/call.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { GatewayQuotas } from '#contract/schemas.ts';

export type Answer = (envelope: RequestEnvelope) => OutcomeInput | Promise<OutcomeInput>;

export class FakeFunctions {
  readonly #server: Server;
  /** Every invocation: function name and number of envelopes. */
  readonly invocations: { name: string; envelopes: RequestEnvelope[] }[] = [];
  readonly reports: unknown[] = [];
  readonly leases: unknown[] = [];
  /** Every snapshot of a call that was reported, in order. */
  readonly snapshots: CallSnapshot[] = [];
  /** Reports about calls are refused so often. */
  refusedCallReports = 0;
  answer: Answer = () => ({ response: { status: 200, reason: 'OK', headers: [] } });
  leaseStatus = 200;
  /** What the lease function says that there are. */
  gateways = 1;
  /** What tenants may use, told with every batch. */
  quotas: Record<string, GatewayQuotas> = {};

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeFunctions> {
    const server = createServer();
    const functions = new FakeFunctions(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const name = /functions\/([^/]+)\/invocations/.exec(request.url ?? '')?.[1] ?? '';
        void functions.#invoke(name, JSON.parse(Buffer.concat(chunks).toString())).then(
          (result) => response.writeHead(result.status).end(JSON.stringify(result.body)),
          (error: unknown) =>
            response.writeHead(200, { 'x-amz-function-error': 'Unhandled' }).end(JSON.stringify(String(error))),
        );
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return functions;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #invoke(name: string, payload: { envelopes?: RequestEnvelope[] }): Promise<{ status: number; body: unknown }> {
    if (name === 'lease') {
      this.leases.push(payload);
      return { status: this.leaseStatus, body: { gateways: this.gateways } };
    }
    if (name === 'flow-closed') {
      this.reports.push(payload);
      return { status: 200, body: {} };
    }
    if (name === 'call-report') {
      if (this.refusedCallReports-- > 0) return { status: 500, body: {} };
      this.snapshots.push(...v.parse(callReport, payload).snapshots);
      return { status: 200, body: {} };
    }
    const envelopes = payload.envelopes ?? [];
    this.invocations.push({ name, envelopes });
    const outcomes = await Promise.all(envelopes.map((envelope) => this.answer(envelope)));
    return { status: 200, body: { contractVersion: 1, outcomes, quotas: this.quotas } };
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
