import { describe, expect, test } from 'vitest';
import { list, maybe, number, object, page, ShapeError, text } from '#gateway/panel/admin/json.ts';
import { HISTORY, KEY, TENANT } from '#gateway/panel/admin/shapes.ts';

describe('answers are checked where they come in', () => {
  const check = object({ user: text, groups: maybe(list(text)), version: number });

  test('what is declared is taken, what else comes is left', () => {
    expect(check({ user: '1001', version: 3, groups: null, more: true }, 'user')).toEqual({
      user: '1001',
      version: 3,
      groups: undefined,
    });
  });

  test.each([
    [{ user: 1001, version: 3 }, 'user.user is no text'],
    [{ user: '1001' }, 'user.version is no number'],
    [{ user: '1001', version: 3, groups: ['a', 7] }, 'user.groups[1] is no text'],
    [{ user: '1001', version: 3, groups: 'a' }, 'user.groups is no list'],
    [['1001'], 'user is no object'],
    [null, 'user is no object'],
  ])('%j: %s', (value, why) => {
    expect(() => check(value, 'user')).toThrow(new ShapeError(why));
  });

  test('a page has items, and a cursor unless it is the last', () => {
    expect(page(text)({ items: ['a'], next: 'c' }, '')).toEqual({ items: ['a'], next: 'c' });
    expect(page(text)({ items: [] }, '')).toEqual({ items: [], next: undefined });
    expect(() => page(text)({ next: 'c' }, '/tenants')).toThrow('/tenants.items is no list');
  });

  test('answers of the API as they are documented', () => {
    expect(TENANT({ domain: 'a.example' }, '')).toMatchObject({ domain: 'a.example', displayName: undefined });
    const key = { id: '0123456789ab', prefix: 'lf_0123456789ab', name: 'PBX', permission: 'ingest' };
    expect(KEY({ ...key, createdAt: '2026-11-21T17:00:00.000Z' }, '')).toMatchObject(key);
    expect(() => HISTORY({ items: [] }, '/history')).toThrow('/history.presentity is no object');
  });
});
