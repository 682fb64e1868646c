import { describe, expect, it } from 'vitest';
import { matchesFilter } from '#cdk/local/streams/filter-criteria.ts';
import { STREAM_MAPPING } from '#cdk/system.ts';

const event = {
  eventName: 'MODIFY',
  dynamodb: { Keys: { PK: { S: 'PRESENTITY#a#1' }, SK: { S: 'STATE' } }, SizeBytes: 40 },
  tags: ['one', 'two'],
};

describe('filter patterns of an event source mapping', () => {
  it.each([
    ['an exact text', { eventName: ['INSERT', 'MODIFY'] }, true],
    ['no such text', { eventName: ['REMOVE'] }, false],
    ['every field', { eventName: ['MODIFY'], dynamodb: { SizeBytes: [41] } }, false],
    ['a nested field', { dynamodb: { Keys: { SK: { S: ['STATE'] } } } }, true],
    ['a field that is not there', { dynamodb: { NewImage: { x: { S: ['y'] } } } }, false],
    ['a prefix', { dynamodb: { Keys: { PK: { S: [{ prefix: 'PRESENTITY#' }] } } } }, true],
    ['a suffix', { dynamodb: { Keys: { PK: { S: [{ suffix: '#2' }] } } } }, false],
    ['case ignored', { eventName: [{ 'equals-ignore-case': 'modify' }] }, true],
    ['anything but', { eventName: [{ 'anything-but': ['REMOVE'] }] }, true],
    ['anything but this', { eventName: [{ 'anything-but': ['MODIFY'] }] }, false],
    ['anything but a prefix', { eventName: [{ 'anything-but': { prefix: 'MOD' } }] }, false],
    ['a range of numbers', { dynamodb: { SizeBytes: [{ numeric: ['>', 0, '<=', 40] }] } }, true],
    ['outside a range', { dynamodb: { SizeBytes: [{ numeric: ['>', 40] }] } }, false],
    ['existence', { userIdentity: [{ exists: false }], eventName: [{ exists: true }] }, true],
    ['an element of a list', { tags: ['two'] }, true],
    ['one of several patterns', { $or: [{ eventName: ['REMOVE'] }, { tags: ['one'] }] }, true],
    ['none of several patterns', { $or: [{ eventName: ['REMOVE'] }, { tags: ['three'] }] }, false],
  ])('match %s', (_what, pattern, matches) => {
    expect(matchesFilter(pattern, event)).toBe(matches);
  });

  it('refuse an operator that is not known rather than to let everything pass', () => {
    expect(() => matchesFilter({ eventName: [{ resembles: 'MODIFY' }] }, event)).toThrow(/resembles/);
  });

  it('let the state of presentities through to notify, bindings that come, change or go, and replaced watchers', () => {
    const ofWatcher = { PK: { S: 'PRESENTITY#a#1' }, SK: { S: 'WATCHER#dialog#1' } };
    const watcher = { eventName: 'MODIFY', dynamodb: { Keys: ofWatcher, NewImage: { cseq: { N: '2' } } } };
    const replaced = { ...watcher, dynamodb: { Keys: ofWatcher, NewImage: { replaced: { BOOL: true } } } };
    const swept = { eventName: 'REMOVE', dynamodb: { Keys: ofWatcher, OldImage: { replaced: { BOOL: true } } } };
    const isSent = (record: unknown): boolean => matchesFilter(STREAM_MAPPING.filterPattern, record);
    const Keys = { PK: { S: 'USER#a#1' }, SK: { S: 'BINDING#1' } };
    const refreshed = { eventName: 'MODIFY', dynamodb: { Keys, NewImage: { contactUri: { S: 'sip:a@b' } } } };
    const moved = { eventName: 'MODIFY', dynamodb: { Keys, NewImage: { news: { BOOL: true } } } };
    const gone = { eventName: 'REMOVE', dynamodb: { Keys, OldImage: {} } };
    expect([event, moved, gone, replaced].map(isSent)).toEqual([true, true, true, true]);
    expect([watcher, refreshed, swept].map(isSent)).toEqual([false, false, false]);
  });

  it('let accounts and policies that change through to notify, and the steps of a review', () => {
    const isSent = (eventName: string, PK: string, SK: string): boolean =>
      matchesFilter(STREAM_MAPPING.filterPattern, {
        eventName,
        dynamodb: { Keys: { PK: { S: PK }, SK: { S: SK } }, NewImage: {} },
      });
    expect(['INSERT', 'MODIFY'].map((name) => isSent(name, 'USER#a#1', 'PROFILE'))).toEqual([true, true]);
    expect(['INSERT', 'MODIFY', 'REMOVE'].map((name) => isSent(name, 'TENANT#a', 'REVIEW'))).toEqual([
      true,
      true,
      false,
    ]);
    expect(['INSERT', 'MODIFY'].map((name) => isSent(name, 'TENANT#a', 'TENANT'))).toEqual([false, true]);
    expect(isSent('MODIFY', 'TENANT#a', 'TRUNK')).toBe(false);
  });
});
