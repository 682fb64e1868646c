import { describe, expect, it } from 'vitest';
import { readUserRows } from '#cdk/cli/import/user-rows.ts';

describe('users in a CSV file', () => {
  it('takes columns in any order and case, quoted fields, and a byte order mark', () => {
    const text =
      '\ufeffDisplay Name,USER,groups,role,password\n"Ada, Countess",1001,sales; support,,\nPBX,pbx,,publisher,secret-of-pbx\n';
    expect(readUserRows(text)).toEqual({
      rows: [
        { line: 2, user: '1001', displayName: 'Ada, Countess', groups: ['sales', 'support'], role: 'user' },
        { line: 3, user: 'pbx', displayName: 'PBX', password: 'secret-of-pbx', role: 'publisher' },
      ],
      problems: [],
    });
  });

  it('takes the semicolons of other spreadsheets, and CRLF', () => {
    expect(readUserRows('user;displayName\r\n1001;Ada\r\n').rows).toEqual([
      { line: 2, user: '1001', displayName: 'Ada', role: 'user' },
    ]);
  });

  it('says what is wrong, with the number of the line, and reads on', () => {
    const text = 'user,role\n1001,\n,user\n1 2,user\n1001,user\n1003,boss\n\n1004,user\n';
    const { rows, problems } = readUserRows(text);
    expect(rows.map(({ user, line }) => [user, line])).toEqual([
      ['1001', 2],
      ['1004', 8],
    ]);
    expect(problems).toEqual([
      { line: 3, problem: 'there is no user' },
      { line: 4, user: '1 2', problem: 'this is no user name' },
      { line: 5, user: '1001', problem: 'the same user stands in line 2' },
      { line: 6, user: '1003', problem: 'the role boss is neither user nor publisher' },
    ]);
  });

  it.each([
    ['name\n1001', 'no column user'],
    ['user,colour\n1001,red', 'the column colour is not known'],
    ['user,User\n1001,1002', 'the column user stands twice'],
    ['user,role\n"1001', 'the file is no CSV'],
    ['user,role\n1001', 'the file is no CSV'],
  ])('refuses %j', (text, words) => {
    expect(() => readUserRows(text)).toThrow(words);
  });
});
