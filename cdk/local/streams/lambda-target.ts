/** Delivers batches of stream records to a function through the Invoke API. */
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { type InvocationReport, readReport } from './batch-rules.ts';
import type { MappedRecord } from './stream-record.ts';

/** @returns never rejects: what goes wrong is part of the report */
export async function invokeWithRecords(
  lambda: LambdaClient,
  functionName: string,
  records: readonly MappedRecord[],
): Promise<InvocationReport> {
  const Payload = `{"Records":[${records.map((record) => record.json).join(',')}]}`;
  try {
    const answer = await lambda.send(new InvokeCommand({ FunctionName: functionName, Payload }));
    if (answer.FunctionError !== undefined) return { kind: 'failed' };
    return readReport(JSON.parse(answer.Payload?.transformToString() || 'null'));
  } catch {
    return { kind: 'unreached' };
  }
}
