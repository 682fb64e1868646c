/** The way to other gateways: signed instructions, one POST under way for each, in order. */
import { Agent, request } from 'node:http';
import type { FlowAddress } from '#contract/call.ts';
import type { GatewayId } from '#contract/ids.ts';
import { type Instruction, type InstructionBatch, SIGNATURE_HEADER, SIGNED_AT_HEADER } from '#contract/instruction.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import { signInstructions } from '#core/instruction-signature.ts';
import type { Counts, Log } from '../telemetry.ts';

const TIMEOUT_MS = 3_000;
const RETRY_MS = 500;
/** A gateway that takes nothing for so long is gone, and its flows are. */
const GONE_MS = 32_000;
/** Nobody listens there: a process that lives is not away for so long. */
const REFUSED_MS = 2_000;
const MAX_WAITING = 10_000;
const BATCH = 200;
const MISDIRECTED = 421;

export interface PeerAddress {
  readonly gatewayId: GatewayId;
  readonly address: string;
}

export interface PeerLinkPorts {
  /** Where this gateway is reached. */
  readonly self: () => PeerAddress;
  /** As they are now: the first one signs. */
  readonly secrets: () => readonly string[];
  readonly nowMs: () => number;
  readonly counts: Counts;
  readonly log: Log;
  /** Another gateway is gone, with what waited for it. */
  readonly gone: (gatewayId: GatewayId, undelivered: readonly Instruction[]) => void;
}

interface Peer extends PeerAddress {
  waiting: Instruction[];
  isPosting: boolean;
  failingSinceMs: number | undefined;
}

export class PeerLink {
  readonly #ports: PeerLinkPorts;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, scheduling: 'fifo' });
  readonly #peers = new Map<GatewayId, Peer>();
  #closed = false;

  constructor(ports: PeerLinkPorts) {
    this.#ports = ports;
  }

  /** Text for a flow of another gateway. */
  relay({ gatewayId, address, flowId }: FlowAddress, text: string): void {
    this.#ports.counts.callRelays++;
    this.send({ gatewayId, address }, { kind: 'relay', flowId, text });
  }

  send(to: PeerAddress, instruction: Instruction): void {
    const peer = this.#peerOf(to);
    if (peer.waiting.length >= MAX_WAITING) {
      this.#ports.counts.callRelaysDropped++;
      return;
    }
    peer.waiting.push(instruction);
    void this.#post(peer);
  }

  /** An empty batch: is it still there? */
  probe(to: PeerAddress): void {
    void this.#post(this.#peerOf(to), true);
  }

  #peerOf({ gatewayId, address }: PeerAddress): Peer {
    const known = this.#peers.get(gatewayId);
    if (known !== undefined) return known;
    const peer: Peer = { gatewayId, address, waiting: [], isPosting: false, failingSinceMs: undefined };
    this.#peers.set(gatewayId, peer);
    return peer;
  }

  async #post(peer: Peer, evenIfEmpty = false): Promise<void> {
    if (peer.isPosting) return;
    peer.isPosting = true;
    await Promise.resolve(); // what is sent in this turn of the event loop goes along
    let mayBeEmpty = evenIfEmpty;
    while (!this.#closed && (peer.waiting.length > 0 || mayBeEmpty)) {
      mayBeEmpty = false;
      if (await this.#deliver(peer)) continue;
      if (!this.#peers.has(peer.gatewayId)) return;
      mayBeEmpty = true;
      await pause(RETRY_MS);
    }
    peer.isPosting = false;
    if (peer.waiting.length === 0 && peer.failingSinceMs === undefined) this.#peers.delete(peer.gatewayId);
  }

  /** @returns false when the same is to be sent again, or the peer is gone */
  async #deliver(peer: Peer): Promise<boolean> {
    const batch = peer.waiting.slice(0, BATCH);
    const status = await this.#postBatch(peer, batch).catch((error: unknown) => String(error));
    if (status === 200 || status === 400) {
      // What breaks the contract is not sent again: what waits behind it must go on.
      peer.waiting.splice(0, batch.length);
      peer.failingSinceMs = undefined;
      return true;
    }
    const nowMs = this.#ports.nowMs();
    peer.failingSinceMs ??= nowMs;
    this.#ports.log.warn({ hop: 'peer', peer: peer.gatewayId, outcome: status }, 'gateway does not take instructions');
    const patienceMs = String(status).includes('ECONNREFUSED') ? REFUSED_MS : GONE_MS;
    if (status === MISDIRECTED || nowMs - peer.failingSinceMs >= patienceMs) {
      this.#peers.delete(peer.gatewayId);
      this.#ports.gone(peer.gatewayId, peer.waiting);
    }
    return false;
  }

  async #postBatch(peer: Peer, instructions: readonly Instruction[]): Promise<number> {
    const { self, secrets, nowMs } = this.#ports;
    const [secret = ''] = secrets();
    const batch: InstructionBatch = {
      ...{ contractVersion: CONTRACT_VERSION, gatewayId: peer.gatewayId, sender: self() },
      instructions: [...instructions],
    };
    const body = JSON.stringify(batch);
    const signedAtMs = nowMs();
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      [SIGNATURE_HEADER]: signInstructions(secret, signedAtMs, body),
      [SIGNED_AT_HEADER]: String(signedAtMs),
    };
    return post(this.#agent, new URL('/instructions', peer.address), headers, body);
  }

  /** Waits until everything has been taken, or the time is up; then nothing more is sent. */
  async drain(milliseconds: number): Promise<void> {
    const untilMs = this.#ports.nowMs() + milliseconds;
    const isBusy = (): boolean => [...this.#peers.values()].some(({ waiting }) => waiting.length > 0);
    while (isBusy() && this.#ports.nowMs() < untilMs) await pause(20);
    this.#closed = true;
    this.#agent.destroy();
  }
}

function post(agent: Agent, url: URL, headers: Record<string, string | number>, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const outgoing = request(url, { method: 'POST', agent, headers, signal }, (incoming) => {
      incoming.resume();
      incoming.on('error', reject);
      incoming.on('end', () => resolve(incoming.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
