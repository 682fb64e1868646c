/** The way from a function to a gateway: signed `POST /instructions` over connections that stay open. */
import { Agent, request } from 'node:http';
import * as v from 'valibot';
import type { GatewayId } from '#contract/ids.ts';
import {
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
import type { SecretReader } from './secret.ts';

export interface GatewayClient {
  /** One POST, and one more when the first fails. Never throws for what a gateway does. */
  deliver(gatewayId: GatewayId, address: string, instructions: readonly Instruction[]): Promise<Delivery>;
  /** Closes the connections. */
  close(): void;
}

const TIMEOUT_MS = 2_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const MISDIRECTED = 421;
const NOBODY_THERE = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND']);

/** @param readSecret secret that the gateways share with the functions */
export function createGatewayClient(readSecret: SecretReader, clock: Clock = systemClock): GatewayClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 16, scheduling: 'fifo' });

  async function attempt(address: string, body: string): Promise<Delivery> {
    const signedAtMs = clock();
    const signature = signInstructions(await readSecret(), signedAtMs, body);
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      [SIGNATURE_HEADER]: signature,
      [SIGNED_AT_HEADER]: String(signedAtMs),
    };
    try {
      return deliveryOf(await post(agent, new URL('/instructions', address), headers, body));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      return { kind: NOBODY_THERE.has(code) ? 'gone' : 'failed', reason: code };
    }
  }

  return {
    async deliver(gatewayId, address, instructions) {
      const batch: InstructionBatch = {
        contractVersion: CONTRACT_VERSION,
        gatewayId,
        instructions: [...instructions],
      };
      const body = JSON.stringify(batch);
      const first = await attempt(address, body);
      // Safe to repeat: a gateway drops a state that it has already seen.
      return first.kind === 'failed' ? attempt(address, body) : first;
    },
    close: () => agent.destroy(),
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function deliveryOf({ status, body }: Answer): Delivery {
  if (status === MISDIRECTED) return { kind: 'gone', reason: 'another gateway is there' };
  if (status !== 200) return { kind: 'failed', reason: `status ${status}` };
  const answer = v.safeParse(v.pipe(v.string(), v.parseJson(), instructionAnswer), body);
  return answer.success
    ? { kind: 'delivered', unknown: answer.output.unknown }
    : { kind: 'failed', reason: 'answer is not the contract' };
}

function post(
  agent: Agent,
  url: URL,
  headers: Readonly<Record<string, string | number>>,
  body: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method: 'POST', agent, headers, signal: AbortSignal.timeout(TIMEOUT_MS) },
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
