import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderWatcherInfo, type Watcher } from '#core/winfo.ts';
import { parseXml } from '#core/xml.ts';
import { T0 } from '#test/support/envelope.ts';
import { schemaProblems } from '#test/support/schema.ts';

const ENTITY = 'sip:1002@demo.example';
const document = (watchers: readonly Watcher[]) => renderWatcherInfo(ENTITY, 'presence', watchers, T0).join('0');

describe('renderWatcherInfo (RFC 3858)', () => {
  it('lists the watchers of one package with their times', () => {
    const watcher = {
      id: 'w1',
      uri: 'sip:1001@demo.example',
      createdAtMs: T0 - 9_000,
      expiresAtMs: T0 + 60_000,
      isPending: false,
    };
    const [list] = parseXml(document([watcher])).children;
    expect(Object.fromEntries(list?.attributes ?? [])).toEqual({ resource: ENTITY, package: 'presence' });
    expect(Object.fromEntries(list?.children[0]?.attributes ?? [])).toEqual({
      ...{ id: 'w1', status: 'active', event: 'subscribe', expiration: '60', 'duration-subscribed': '9' },
    });
    expect(list?.children[0]?.text).toBe('sip:1001@demo.example');
  });

  it('says who waits to be allowed', () => {
    const watcher = { id: 'w1', uri: ENTITY, createdAtMs: T0, expiresAtMs: T0, isPending: true };
    const [list] = parseXml(document([watcher])).children;
    expect(list?.children[0]?.attributes.get('status')).toBe('pending');
    expect(schemaProblems('watcherinfo', [document([watcher])])).toEqual([]);
  });

  it('is valid without watchers and with any (property)', () => {
    const times = { createdAtMs: T0, expiresAtMs: T0, isPending: false };
    const ids = fc.sample(fc.string({ unit: 'binary' }), 30);
    const documents = ids.map((id) => document([{ id, uri: ENTITY, ...times }]));
    expect(schemaProblems('watcherinfo', [document([]), ...documents])).toEqual([]);
  });
});
