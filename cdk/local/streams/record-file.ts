/** File of call detail records, one JSON line each: what EventBridge gets on AWS. No record stands in it twice. */
import { appendFileSync, readFileSync } from 'node:fs';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { viewRecord } from '#core/call-view.ts';
import { decodeRecord } from '#table/record-item.ts';
import type { Item } from '#table/table.ts';

interface RecordEvent {
  readonly dynamodb: { readonly NewImage?: Record<string, AttributeValue> };
}

export interface RecordFile {
  /** @param json elements of a stream event's `Records` */
  append(json: readonly string[]): void;
}

/** Goes on where an earlier process stopped. */
export function openRecordFile(file: string): RecordFile {
  const text = readText(file);
  const known = new Set(text.split('\n').flatMap(idOfLine));
  // A process that was killed may have left half a line.
  let start = text === '' || text.endsWith('\n') ? '' : '\n';
  return {
    append(json) {
      for (const one of json) {
        const { NewImage = {} } = (JSON.parse(one) as RecordEvent).dynamodb;
        const record = decodeRecord(unmarshall(NewImage) as Item);
        if (known.has(record.id)) continue;
        appendFileSync(file, `${start}${JSON.stringify(viewRecord(record))}\n`);
        start = '';
        known.add(record.id);
      }
    },
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function idOfLine(line: string): string[] {
  try {
    return [(JSON.parse(line) as { id: string }).id];
  } catch {
    return [];
  }
}
