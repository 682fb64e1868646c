import { describe, expect, it } from 'vitest';
import { ContractError } from '#core/error.ts';
import { NO_STATE } from '#core/presentity.ts';
import { decodeStateChange, recordsOf, sequenceNumberOf } from '#table/stream-record.ts';

const KEYS = { PK: { S: 'PRESENTITY#demo.example#10#01' }, SK: { S: 'STATE' } };
const DIALOG = { M: { id: { S: '1' }, state: { S: 'early' }, callId: { S: 'c' } } };
const PUBLICATION = {
  M: {
    ...{ tag: { S: 'p1.x' }, event: { S: 'dialog' }, by: { S: 'sip:pbx@demo.example' } },
    ...{ expMs: { N: '2000' }, atMs: { N: '1000' }, live: { M: { f: DIALOG } }, over: { L: [DIALOG] } },
    gone: { M: { 3: { S: 'key' } } },
  },
};
const IMAGE = { ...KEYS, version: { N: '7' }, changedAtMs: { N: '1000' }, pubCount: { N: '1' }, 'P#p1': PUBLICATION };

function record(images: object, keys: object = KEYS) {
  return { eventName: 'MODIFY', dynamodb: { SequenceNumber: '100', Keys: keys, ...images } };
}

describe('decodeStateChange', () => {
  it('reads the state before and after, from what Lambda hands over', () => {
    const change = decodeStateChange(record({ NewImage: IMAGE }));
    expect(change).toMatchObject({ sequenceNumber: '100', presentity: { domain: 'demo.example', user: '10#01' } });
    expect(change?.before).toEqual(NO_STATE);
    expect(change?.after).toMatchObject({ version: 7, changedAtMs: 1_000 });
    expect(change?.after.publications).toEqual([
      {
        ...{ id: 'p1', entityTag: 'p1.x', event: 'dialog', publisher: 'sip:pbx@demo.example' },
        ...{ expiresAtMs: 2_000, updatedAtMs: 1_000 },
        content: {
          kind: 'dialogs',
          live: [{ id: '1', state: 'early', callId: 'c' }],
          terminated: [{ id: '1', state: 'early', callId: 'c' }],
          tombstones: ['key'],
        },
      },
    ]);
  });

  it('reads what made the version, and not what made an earlier one', () => {
    const cause = { M: { atMs: { N: '1000' }, callId: { S: 'call-1' } } };
    const causedBy = (image: object) =>
      decodeStateChange(record({ NewImage: { ...IMAGE, cause, ...image } }))?.after.causedBy;
    expect(causedBy({})).toBe('call-1');
    expect(causedBy({ version: { N: '8' }, changedAtMs: { N: '1400' } })).toBeUndefined();
  });

  it('takes a map without a type for an empty one, as DynamoDB Local writes it', () => {
    const empty = { M: { ...PUBLICATION.M, live: {}, gone: {} } };
    const change = decodeStateChange(record({ NewImage: { ...IMAGE, 'P#p1': empty } }));
    expect(change?.after.publications[0]?.content).toMatchObject({ live: [], tombstones: [] });
  });

  it('passes over other items and items that TTL took away', () => {
    expect(decodeStateChange(record({ NewImage: IMAGE }, { ...KEYS, SK: { S: 'WATCHER#dialog#1' } }))).toBeUndefined();
    expect(decodeStateChange(record({ OldImage: IMAGE }))).toBeUndefined();
  });

  it.each([
    ['no record', 'x'],
    ['no keys', record({ NewImage: IMAGE }, {})],
    ['no version', record({ NewImage: { ...IMAGE, version: { S: 'seven' } } })],
    ['a publication that is none', record({ NewImage: { ...IMAGE, 'P#p1': { S: 'x' } } })],
    ['a type that no item has', record({ NewImage: { ...IMAGE, version: { B: 'AA==' } } })],
  ])('refuses %s', (_what, input) => {
    expect(() => decodeStateChange(input)).toThrow(ContractError);
  });
});

it('names the record even if the rest of it cannot be read', () => {
  expect(sequenceNumberOf({ dynamodb: { SequenceNumber: '5' } })).toBe('5');
  expect(sequenceNumberOf('x')).toBeUndefined();
});

it('refuses an event that is no batch', () => {
  expect(recordsOf({ Records: [1, 'x'] })).toEqual([1, 'x']);
  expect(() => recordsOf({})).toThrow(ContractError);
});
