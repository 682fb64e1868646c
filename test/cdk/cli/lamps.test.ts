import { describe, expect, it } from 'vitest';
import { type Board, boardLines, changeText, type Lamp, withLamp } from '#cdk/cli/watch/lamps.ts';

const T0 = 1_700_000_000_000;
const plain = (_colour: string, text: string): string => text;
const boardOf = (lamps: readonly Lamp[], nowMs = T0): Board =>
  lamps.reduce<Board>((board, lamp) => withLamp(board, lamp, nowMs).board, new Map());

describe('news of a lamp', () => {
  it('is a change when the lamp is another one, and nothing when it is old or the same', () => {
    const board = boardOf([{ user: '1001', lamp: 'idle', version: 4 }]);
    const ringing = withLamp(board, { user: '1001', lamp: 'ringing', version: 5, remote: 'sip:a@b.example' }, T0 + 10);
    expect(ringing.change).toEqual({
      ...{ user: '1001', from: 'idle', to: 'ringing', version: 5, remote: 'sip:a@b.example' },
      at: new Date(T0 + 10).toISOString(),
    });
    expect(withLamp(ringing.board, { user: '1001', lamp: 'busy', version: 5 }, T0 + 20)).toEqual({
      board: ringing.board,
    });
    const same = withLamp(
      ringing.board,
      { user: '1001', lamp: 'ringing', version: 6, remote: 'sip:a@b.example' },
      T0 + 20,
    );
    expect(same.change).toBeUndefined();
    expect(same.board.get('1001')).toMatchObject({ version: 6, sinceMs: T0 + 10 });
  });

  it('is a line for those who have no board', () => {
    const { change } = withLamp(new Map(), { user: '1001', lamp: 'busy', version: 1, remote: 'sip:x\u001b[2J@y' }, T0);
    expect(change && changeText(change, plain)).toMatch(/^\d\d:\d\d:\d\d\.000 {2}1001 {10}■ busy {2}sip:x \[2J@y$/);
  });
});

describe('the board', () => {
  const screen = { columns: 64, rows: 6, title: 'acme.example', status: '', nowMs: T0 + 65_000, paint: plain };

  it('puts lamps in columns by number, with who is there and for how long', () => {
    const board = boardOf([
      { user: '10', lamp: 'idle', version: 1 },
      { user: '9', lamp: 'busy', version: 1, remote: 'sip:7@a.example' },
      { user: '8', lamp: 'unknown', version: 0 },
    ]);
    expect(boardLines(board, screen)).toEqual([
      'acme.example  1 busy, 1 idle, 1 unknown',
      '○ 8 unknown                     ● 10 idle                     ',
      expect.stringMatching(/^■ 9 busy 1 min 5 s 7@a\.example +$/),
      '',
      'q ends',
    ]);
  });

  it('never has more lines or columns than the terminal, and says what it leaves out', () => {
    const many = Array.from({ length: 100 }, (_, n) => ({ user: `user-${n}`, lamp: 'idle', version: 1 }));
    const lines = boardLines(boardOf(many), { ...screen, status: 'cannot reach somewhere; trying again' });
    expect(lines).toHaveLength(6);
    expect(lines[0]).toContain('100 idle, 94 more below');
    expect(lines.at(-1)).toBe('cannot reach somewhere; trying again');
    for (const columns of [1, 10, 31, 80, 200]) {
      for (const line of boardLines(boardOf(many), { ...screen, columns }))
        expect([...line].length).toBeLessThanOrEqual(columns);
    }
  });
});
