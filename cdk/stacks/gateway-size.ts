/** How large a gateway is: what Fargate offers, and what flows need of it. */

/** Memory that Fargate offers per CPU size, from the least to the most (MiB). */
export const TASK_MEMORY_MB: Readonly<Record<number, { readonly least: number; readonly most: number }>> = {
  256: { least: 512, most: 2_048 },
  512: { least: 1_024, most: 4_096 },
  1024: { least: 2_048, most: 8_192 },
  2048: { least: 4_096, most: 16_384 },
  4096: { least: 8_192, most: 30_720 },
};

/** Measured by `npm run bench -- memory` (README, Measured): an idle registered flow, and one subscription. */
const FLOW_KIB = 11;
const SUBSCRIPTION_KIB = 1;
/** Of a flow; a panel with a board of 20 colleagues. */
const SUBSCRIPTIONS_PER_FLOW = 20;
/** The process without a flow. */
const BASE_MIB = 120;
/** Part of the memory that is V8's heap; the rest is sockets, buffers and code. */
const HEAP_SHARE = 0.75;

/** @returns MiB of a gateway whose heap holds so many flows */
export function memoryFor(flows: number): number {
  const held = (flows * (FLOW_KIB + SUBSCRIPTIONS_PER_FLOW * SUBSCRIPTION_KIB)) / 1_024;
  return Math.ceil((BASE_MIB + held) / HEAP_SHARE);
}

export const heapFor = (memoryMb: number): number => Math.floor(memoryMb * HEAP_SHARE);

/** One descriptor a flow, as many again while clients come back at once, and some for files, functions and gateways. */
export const openFilesFor = (flows: number): number => flows * 2 + 4_096;
