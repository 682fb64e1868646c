import { describe, expect, test } from 'vitest';
import type { UserRow } from '#gateway/panel/admin/csv.ts';
import { Refusal } from '#gateway/panel/admin/refusal.ts';
import { importUsers, passwordFile, randomPassword } from '#gateway/panel/admin/user-import.ts';
import { isWanted, searchUsers } from '#gateway/panel/admin/user-search.ts';

const user = (name: string, displayName?: string, groups?: string[]) => ({
  user: name,
  role: 'user',
  displayName,
  groups,
});
const rows = (count: number): UserRow[] =>
  Array.from({ length: count }, (_, index) => ({ line: index + 2, user: String(1_001 + index), role: 'user' }));
const run = async (
  count: number,
  put: (row: UserRow) => Promise<'created' | 'updated'>,
  stopped = new AbortController(),
) => {
  const told: number[] = [];
  const report = await importUsers(rows(count), put, ({ done }) => told.push(done), stopped);
  return { report, told };
};

describe('search', () => {
  test('by number, name and group, each word somewhere, in any case', () => {
    const ada = user('1001', 'Ada Lovelace', ['Sales']);
    for (const needle of ['100', 'LOVE', 'sales', 'ada sal', 'lovelace 1001']) expect(isWanted(ada, needle)).toBe(true);
    for (const needle of ['1002', 'ada board']) expect(isWanted(ada, needle)).toBe(false);
  });

  test('pages are read until enough are found, and it goes on from there', async () => {
    const asked: (string | undefined)[] = [];
    const load = async (cursor: string | undefined) => {
      asked.push(cursor);
      const at = Number(cursor ?? 0);
      return { items: [user(`${at}`, 'Ada'), user(`x${at}`)], next: at < 4 ? String(at + 1) : undefined };
    };
    const first = await searchUsers(load, 'ada', undefined, 2);
    expect(first).toMatchObject({ items: [{ user: '0' }, { user: '1' }], next: '2' });
    expect(await searchUsers(load, 'ada', first.next, 9)).toMatchObject({ items: { length: 3 }, next: undefined });
    expect(asked).toEqual([undefined, '1', '2', '3', '4']);
  });

  test('a search that finds nothing ends', async () => {
    let pages = 0;
    const load = async () => ({ items: [user('1')], next: String(++pages) });
    expect(await searchUsers(load, 'nobody', undefined, 50)).toEqual({ items: [], next: '10' });
  });
});

describe('import', () => {
  test('all are put, at most four at once, and each is counted', async () => {
    let [running, most] = [0, 0];
    const { report, told } = await run(10, async ({ user: name }) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return Number(name) % 2 === 0 ? 'created' : 'updated';
    });
    expect(report).toEqual({ created: 5, updated: 5, failures: [], left: 0 });
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(most).toBe(4);
  });

  test('one that is refused is told with its line, and the others go on', async () => {
    const weak = new Refusal(400, 'The password is too weak.', {
      errors: [{ member: 'password', detail: 'is too short' }],
    });
    const { report } = await run(3, ({ user: name }) =>
      name === '1002' ? Promise.reject(weak) : Promise.resolve('created'),
    );
    expect(report).toEqual({
      ...{ created: 2, updated: 0, left: 0 },
      failures: [{ line: 3, user: '1002', problem: 'The password is too weak. password is too short' }],
    });
  });

  test('a key that is not good, or nobody there, stops it: all would fail the same way', async () => {
    const { report } = await run(100, () => Promise.reject(new Refusal(401, 'The key is not good.')));
    expect(report.failures.length).toBeLessThanOrEqual(4);
    expect(report.left).toBe(100 - report.failures.length);
  });

  test('it can be stopped', async () => {
    const stopped = new AbortController();
    const put = async (): Promise<'created'> => {
      stopped.abort();
      return 'created';
    };
    expect((await run(100, put, stopped)).report).toMatchObject({ created: 1, left: 99 });
  });

  test('passwords are unlike each other, and their file is safe to open', () => {
    expect(randomPassword()).toMatch(/^[\w-]{20}$/);
    expect(randomPassword()).not.toBe(randomPassword());
    expect(passwordFile(new Map([['=1+1', 'p']]))).toBe('user,password\r\n"\'=1+1","p"\r\n');
  });
});
