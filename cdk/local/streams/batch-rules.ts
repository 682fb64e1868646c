/** What becomes of a batch of stream records after an invocation: retry, bisect, partial failure, giving up. Pure. */

export interface MappingPolicy {
  readonly batchSize: number;
  /** Further attempts after the first. */
  readonly maximumRetryAttempts: number;
  readonly maximumRecordAgeSeconds: number;
  readonly bisectBatchOnFunctionError: boolean;
  readonly reportBatchItemFailures: boolean;
}

/** What the rules need to know of a record. */
export interface BatchRecord {
  readonly sequenceNumber: string;
  readonly createdAtMs: number;
  /** Size of the record in an invocation's payload. */
  readonly bytes: number;
}

/** Records that are delivered together; `failures` counts the invocations that failed with all of them. */
export interface Batch<R extends BatchRecord> {
  readonly records: readonly R[];
  readonly failures: number;
}

export type InvocationReport =
  | { readonly kind: 'succeeded' }
  /** Identifiers of a response's `batchItemFailures`, as they came. */
  | { readonly kind: 'partly'; readonly failedSequenceNumbers: readonly unknown[] }
  | { readonly kind: 'failed' }
  /** The function was not reached: nobody's fault, so it costs no attempt. */
  | { readonly kind: 'unreached' };

export type GiveUpReason = 'RetryAttemptsExhausted' | 'RecordAgeExceeded';

export interface Verdict<R extends BatchRecord> {
  readonly done: readonly R[];
  readonly givenUp: readonly R[];
  /** What must be delivered next, in this order, before any later record. */
  readonly next: readonly Batch<R>[];
  /** Wait before the first of `next`; 0 when this is no repetition. */
  readonly retryAfterMs: number;
}

const PAYLOAD_BYTES = 5_500_000; // Lambda's 6 MB less the frame around the records.
const BACKOFF = { firstMs: 100, greatestMs: 2_000 } as const;
const UNREACHED_RETRY_MS = 200;

/** How many records at the head of a lane go into one batch: at least one, bounded by count and payload. */
export function batchLength(records: readonly BatchRecord[], batchSize: number): number {
  let bytes = 0;
  let length = 0;
  for (const record of records) {
    bytes += record.bytes;
    if (length > 0 && (length >= batchSize || bytes > PAYLOAD_BYTES)) break;
    length += 1;
  }
  return length;
}

/** Takes out what is too old to be worth delivering; undefined `batch` when nothing is left. */
export function dropAged<R extends BatchRecord>(batch: Batch<R>, policy: MappingPolicy, nowMs: number) {
  const bornAfterMs = nowMs - policy.maximumRecordAgeSeconds * 1_000;
  const fresh = batch.records.filter((record) => record.createdAtMs >= bornAfterMs);
  const aged = batch.records.filter((record) => record.createdAtMs < bornAfterMs);
  return { batch: fresh.length === 0 ? undefined : { ...batch, records: fresh }, aged };
}

/** Decides what happens to a batch after its invocation. */
export function judgeBatch<R extends BatchRecord>(
  batch: Batch<R>,
  report: InvocationReport,
  policy: MappingPolicy,
): Verdict<R> {
  switch (report.kind) {
    case 'succeeded':
      return { done: batch.records, givenUp: [], next: [], retryAfterMs: 0 };
    case 'partly':
      return judgePartly(batch, report.failedSequenceNumbers, policy);
    case 'failed':
      return judgeFailed(batch, policy);
    case 'unreached':
      return { done: [], givenUp: [], next: [batch], retryAfterMs: UNREACHED_RETRY_MS };
  }
}

/** The lowest failed record is the checkpoint: what stands before it is done, it and what follows come again. */
function judgePartly<R extends BatchRecord>(
  batch: Batch<R>,
  failed: readonly unknown[],
  policy: MappingPolicy,
): Verdict<R> {
  if (!policy.reportBatchItemFailures || failed.length === 0) return judgeBatch(batch, { kind: 'succeeded' }, policy);
  const positions = failed.map((id) => batch.records.findIndex((record) => record.sequenceNumber === id));
  const lowest = Math.min(...positions);
  if (lowest < 0) return judgeFailed(batch, policy); // An identifier that was never sent: Lambda takes all as failed.
  const suspect = { records: batch.records.slice(lowest, lowest + 1), failures: lowest === 0 ? batch.failures : 0 };
  const verdict = judgeFailed(suspect, policy);
  const rest = batch.records.slice(lowest + 1);
  const next = rest.length === 0 ? verdict.next : [...verdict.next, { records: rest, failures: 0 }];
  return { ...verdict, done: batch.records.slice(0, lowest), next };
}

function judgeFailed<R extends BatchRecord>(batch: Batch<R>, policy: MappingPolicy): Verdict<R> {
  const failures = batch.failures + 1;
  if (policy.bisectBatchOnFunctionError && batch.records.length > 1) return bisect(batch);
  if (failures > policy.maximumRetryAttempts) return { done: [], givenUp: batch.records, next: [], retryAfterMs: 0 };
  return { done: [], givenUp: [], next: [{ records: batch.records, failures }], retryAfterMs: backoffMs(failures) };
}

/** A split does not count as a retry, so that the innocent half starts with its full quota. */
function bisect<R extends BatchRecord>({ records, failures }: Batch<R>): Verdict<R> {
  const middle = Math.ceil(records.length / 2);
  const next = [records.slice(0, middle), records.slice(middle)].map((half) => ({ records: half, failures }));
  return { done: [], givenUp: [], next, retryAfterMs: BACKOFF.firstMs };
}

function backoffMs(failures: number): number {
  return Math.min(BACKOFF.greatestMs, BACKOFF.firstMs * 2 ** (failures - 1));
}

/** Reads a function's response. `null`, `{}` and an empty list mean that all went well. */
export function readReport(response: unknown): InvocationReport {
  if (typeof response !== 'object' || response === null) return { kind: 'succeeded' };
  const { batchItemFailures } = response as { batchItemFailures?: unknown };
  if (batchItemFailures === undefined || batchItemFailures === null) return { kind: 'succeeded' };
  if (!Array.isArray(batchItemFailures)) return { kind: 'failed' };
  return { kind: 'partly', failedSequenceNumbers: batchItemFailures.map((failure) => failure?.itemIdentifier) };
}
