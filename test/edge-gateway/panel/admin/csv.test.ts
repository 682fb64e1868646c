import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readUserRows } from '#gateway/panel/admin/csv.ts';

const rowsOf = (file: string) => {
  const read = readUserRows(file);
  if ('mistake' in read) throw new Error(read.mistake);
  return read;
};

describe('a file of users', () => {
  test('titles in any order and case, groups with semicolons, quotes as in RFC 4180', () => {
    const file =
      '\uFEFFDisplay Name,USER,groups,role\r\n"Lovelace, ""Ada""",1001,Sales; Board,\r\nPBX,pbx,,Publisher\r\n';
    expect(rowsOf(file)).toEqual({
      rows: [
        { line: 2, user: '1001', role: 'user', displayName: 'Lovelace, "Ada"', groups: ['Sales', 'Board'] },
        { line: 3, user: 'pbx', role: 'publisher', displayName: 'PBX' },
      ],
      problems: [],
    });
  });

  test('semicolons as separators, lines within quotes, blank lines, no line end at the end', () => {
    const file = 'user;displayName;password\n\n1001;"Ada\nLovelace";long-enough-1\n;;\n1002;Ben;';
    expect(rowsOf(file).rows).toEqual([
      { line: 3, user: '1001', role: 'user', displayName: 'Ada\nLovelace', password: 'long-enough-1' },
      { line: 6, user: '1002', role: 'user', displayName: 'Ben' },
    ]);
  });

  test('lines that cannot be imported are named, and the others are not lost', () => {
    const { rows, problems } = rowsOf('user,role\n1001,\n,\n,user\na b,\n1001,\n1002,boss\n1003,,x\n1004,user');
    expect(rows.map(({ user }) => user)).toEqual(['1001', '1004']);
    expect(problems).toEqual([
      { line: 4, user: '', problem: 'has no user' },
      { line: 5, user: 'a b', problem: 'has no good user name' },
      { line: 6, user: '1001', problem: 'names the same user as line 2' },
      { line: 7, user: '1002', problem: 'has a role that is not known' },
      { line: 8, user: '1003', problem: 'has more fields than titles' },
    ]);
  });

  test.each([
    ['', /empty/],
    ['name\n1', /no column user/],
    ['user,secret\n1,2', /column “secret”/],
    ['user,User\n1,2', /stands twice/],
    ['user\n"1001', /quoted field/],
    ['user\n"1001" x\n', /quoted field/],
  ])('%j is no such file', (file, mistake) => {
    expect(readUserRows(file)).toEqual({ mistake: expect.stringMatching(mistake) });
  });

  test('whatever is written in quotes comes back, and any text is read to its end', () => {
    const name = fc.string({ unit: 'grapheme' }).filter((text) => text.trim() === text && text !== '');
    fc.assert(
      fc.property(fc.array(name, { maxLength: 20 }), (names) => {
        const lines = names.map((each, index) => `"${each.replaceAll('"', '""')}",u${index}`);
        const { rows } = rowsOf(['displayName,user', ...lines].join('\n'));
        expect(rows.map(({ displayName }) => displayName)).toEqual(names);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void readUserRows(`user\n${text}`)));
  });
});
