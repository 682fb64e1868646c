/** How often an address may connect: as many at once as it may have, so that a herd can come back, then at a rate. PURE. */
import { type Bucket, type BucketRate, newBucket, takeToken } from '#core/token-bucket.ts';
import type { GatewayConfig } from './config.ts';

/** Addresses that are remembered; the one that has not come for longest goes first, and finds a full bucket. */
const MAX_ADDRESSES = 20_000;

export class HandshakeRates {
  readonly #buckets = new Map<string, Bucket>();
  readonly #rate: BucketRate;

  constructor(config: Pick<GatewayConfig, 'MAX_FLOWS_PER_ADDRESS' | 'MAX_HANDSHAKES_PER_SECOND_PER_ADDRESS'>) {
    this.#rate = { perSecond: config.MAX_HANDSHAKES_PER_SECOND_PER_ADDRESS, burst: config.MAX_FLOWS_PER_ADDRESS };
  }

  take(address: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(address) ?? newBucket(nowMs);
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    if (this.#buckets.size > MAX_ADDRESSES) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return takeToken(bucket, this.#rate, nowMs);
  }
}
