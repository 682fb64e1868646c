/** The way from a function to a gateway: signed `POST /instructions` over connections that stay open. */
import { Agent, request } from 'node:http';
import * as v from 'valibot';
import type { GatewayId } from '#contract/ids.ts';
import {
  type ForwardInstruction,
  type ForwardResult,
  type Instruction,
  type InstructionBatch,
  instructionAnswer,
  SIGNATURE_HEADER,
  SIGNED_AT_HEADER,
} from '#contract/instruction.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import type { Delivery } from '#core/delivery.ts';
import { signInstructions } from '#core/instruction-signature.ts';
import { type Clock, systemClock } from './clock.ts';
import type { KeysReader } from './secret.ts';

export interface GatewayClient {
  /** One POST, and one more when the first fails. Never throws for what a gateway does. */
  deliver(gatewayId: GatewayId, address: string, instructions: readonly Instruction[]): Promise<Delivery>;
  /**
   * One POST, answered when the peer on the flow has answered or its time is up. Not repeated, but for a connection
   * that had died while it was idle. Never throws for what a gateway does.
   */
  forward(gatewayId: GatewayId, address: string, instruction: ForwardInstruction): Promise<ForwardResult>;
  /** Closes the connections. */
  close(): void;
}

const TIMEOUT_MS = 2_000;
/** Over what the peer on the flow is given. */
const FORWARD_MARGIN_MS = 500;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const MISDIRECTED = 421;
const NOBODY_THERE = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND']);
/** More than a user has contacts: each forward keeps one until its answer. */
const MAX_SOCKETS = 256;
/** A connection that had died while it was idle. */
const RESET = new Set(['ECONNRESET', 'EPIPE']);

/** @param readKeys secrets that the gateways share with the functions; the first one signs */
export function createGatewayClient(readKeys: KeysReader, clock: Clock = systemClock): GatewayClient {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, scheduling: 'fifo' });

  async function postSigned(address: string, body: string, timeoutMs: number): Promise<Answer> {
    const signedAtMs = clock();
    const [secret = ''] = await readKeys();
    const signature = signInstructions(secret, signedAtMs, body);
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      [SIGNATURE_HEADER]: signature,
      [SIGNED_AT_HEADER]: String(signedAtMs),
    };
    return post(agent, new URL('/instructions', address), headers, body, timeoutMs);
  }

  async function attempt(address: string, body: string): Promise<Delivery> {
    try {
      return deliveryOf(await postSigned(address, body, TIMEOUT_MS));
    } catch (error) {
      const code = codeOf(error);
      return { kind: NOBODY_THERE.has(code) ? 'gone' : 'failed', reason: code };
    }
  }

  async function attemptForward(address: string, body: string, timeoutMs: number): Promise<ForwardResult | 'reset'> {
    try {
      return forwardResultOf(await postSigned(address, body, timeoutMs));
    } catch (error) {
      const code = codeOf(error);
      if (RESET.has(code)) return 'reset';
      return { kind: NOBODY_THERE.has(code) ? 'noFlow' : 'unanswered' };
    }
  }

  return {
    async deliver(gatewayId, address, instructions) {
      const body = batchText(gatewayId, instructions);
      const first = await attempt(address, body);
      // Safe to repeat: a gateway drops a state that it has already seen.
      return first.kind === 'failed' ? attempt(address, body) : first;
    },
    async forward(gatewayId, address, instruction) {
      const body = batchText(gatewayId, [instruction]);
      const timeoutMs = instruction.answerWithinMs + FORWARD_MARGIN_MS;
      const first = await attemptForward(address, body, timeoutMs);
      const result = first === 'reset' ? await attemptForward(address, body, timeoutMs) : first;
      return result === 'reset' ? { kind: 'unanswered' } : result;
    },
    close: () => agent.destroy(),
  };
}

function batchText(gatewayId: GatewayId, instructions: readonly Instruction[]): string {
  const batch: InstructionBatch = { contractVersion: CONTRACT_VERSION, gatewayId, instructions: [...instructions] };
  return JSON.stringify(batch);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

function forwardResultOf({ status, body }: Answer): ForwardResult {
  if (status === MISDIRECTED) return { kind: 'noFlow' };
  const result = status === 200 ? readAnswer({ body })?.forwarded[0] : undefined;
  return result ?? { kind: 'unanswered' };
}

function readAnswer({ body }: Pick<Answer, 'body'>): v.InferOutput<typeof instructionAnswer> | undefined {
  const answer = v.safeParse(v.pipe(v.string(), v.parseJson(), instructionAnswer), body);
  return answer.success ? answer.output : undefined;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function deliveryOf({ status, body }: Answer): Delivery {
  if (status === MISDIRECTED) return { kind: 'gone', reason: 'another gateway is there' };
  if (status !== 200) return { kind: 'failed', reason: `status ${status}` };
  const answer = readAnswer({ body });
  if (answer === undefined) return { kind: 'failed', reason: 'answer is not the contract' };
  const { unknown, inspected, uses, connections } = answer;
  return { kind: 'delivered', unknown, inspected, uses, connections };
}

function post(
  agent: Agent,
  url: URL,
  headers: Readonly<Record<string, string | number>>,
  body: string,
  timeoutMs: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method: 'POST', agent, headers, signal: AbortSignal.timeout(timeoutMs) },
      (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) outgoing.destroy(new Error('answer too long'));
          else chunks.push(chunk);
        });
        incoming.on('error', reject);
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
