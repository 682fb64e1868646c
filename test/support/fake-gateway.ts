/** A gateway's private port that takes every instruction, over a real socket. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import {
  type ForwardInstruction,
  type ForwardResult,
  type InstructionBatch,
  instructionBatch,
  SIGNATURE_HEADER,
  SIGNED_AT_HEADER,
} from '#contract/instruction.ts';
import { verifyInstructions } from '#core/instruction-signature.ts';

export const INSTRUCTION_SECRET = 'instruction-s3cret';

const NO_FLOW: ForwardResult = { kind: 'noFlow' };

export interface FakeGateway {
  readonly address: string;
  /** What came, in order; only what was rightly signed. */
  readonly batches: InstructionBatch[];
  /** Sockets that were opened. */
  readonly connections: () => number;
  /** How the next batches are answered: unknown subscriptions, another status, or not at all. */
  behaviour: {
    unknown?: readonly string[];
    status?: number;
    isSilent?: boolean;
    forward?: (instruction: ForwardInstruction) => ForwardResult | Promise<ForwardResult>;
  };
  stop(): Promise<void>;
}

export async function startFakeGateway(): Promise<FakeGateway> {
  const batches: InstructionBatch[] = [];
  let connections = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const header = (name: string) => [request.headers[name]].flat()[0];
    const received = { signature: header(SIGNATURE_HEADER), signedAt: header(SIGNED_AT_HEADER) };
    const isSigned = verifyInstructions(INSTRUCTION_SECRET, received, body, Date.now());
    if (request.url !== '/instructions' || !isSigned) return void response.writeHead(401).end();
    const batch = v.parse(instructionBatch, JSON.parse(body));
    batches.push(batch);
    const { unknown = [], status = 200, isSilent = false, forward = () => NO_FLOW } = gateway.behaviour;
    const forwards = batch.instructions.filter((instruction) => instruction.kind === 'forward');
    const forwarded = await Promise.all(forwards.map(forward));
    if (!isSilent) response.writeHead(status).end(JSON.stringify({ unknown, forwarded }));
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const gateway: FakeGateway = {
    address: `http://127.0.0.1:${port}`,
    batches,
    connections: () => connections,
    behaviour: {},
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return gateway;
}
