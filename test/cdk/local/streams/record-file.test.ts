import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openRecordFile } from '#cdk/local/streams/record-file.ts';
import type { CallRecord } from '#core/call-record.ts';
import { recordItem } from '#table/record-item.ts';

const T0 = 1_700_000_000_000;
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lampfield-records-'));
  file = path.join(folder, 'records.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const recordOf = (id: string): CallRecord => ({
  ...{
    id,
    domain: 'demo.example',
    callId: `call-${id}`,
    caller: 'sip:1001@demo.example',
    callee: 'sip:1002@demo.example',
  },
  ...{
    setupAtMs: T0,
    answeredAtMs: T0 + 1_000,
    endedAtMs: T0 + 61_000,
    billSeconds: 60,
    cause: 'bye',
    endedBy: 'caller',
  },
  ...{ type: 'local', profiles: [{ profile: 'total', value: '' }], variables: { account: 'a' } },
});
const eventOf = (id: string) => JSON.stringify({ dynamodb: { NewImage: marshall(recordItem(recordOf(id), 90)) } });
const lines = () => readFileSync(file, 'utf8').split('\n').filter(Boolean);

it('holds each record once, however often it is delivered', () => {
  const records = openRecordFile(file);
  records.append([eventOf('1'), eventOf('2'), eventOf('1')]);
  records.append([eventOf('2'), eventOf('3')]);
  openRecordFile(file).append([eventOf('3'), eventOf('4')]);
  expect(lines().map((line) => JSON.parse(line).id)).toEqual(['1', '2', '3', '4']);
  expect(JSON.parse(lines()[0] ?? '')).toEqual({
    ...{
      id: '1',
      tenant: 'demo.example',
      callId: 'call-1',
      from: 'sip:1001@demo.example',
      to: 'sip:1002@demo.example',
    },
    ...{ SetupTime: '2023-11-14T22:13:20.000Z', AnswerTime: '2023-11-14T22:13:21.000Z' },
    ...{ EndTime: '2023-11-14T22:14:21.000Z', BillSec: 60, cause: 'bye', endedBy: 'caller', type: 'local' },
    ...{ profiles: [{ profile: 'total', value: '' }], variables: { account: 'a' } },
  });
});

it('goes on after a line that was cut off, and writes that record anew', () => {
  openRecordFile(file).append([eventOf('1')]);
  appendFileSync(file, '{"id":"2","tenant":"de');
  openRecordFile(file).append([eventOf('1'), eventOf('2')]);
  const written = lines().flatMap((line) => (line.endsWith('}') ? [JSON.parse(line).id] : []));
  expect(written).toEqual(['1', '2']);
});
