import { describe, expect, it } from 'vitest';
import { flattened, readSettings, withAssignments } from '#cdk/cli/settings-text.ts';

describe('settings of the command line', () => {
  it('sets members deep inside, JSON where it is JSON, and leaves the others', () => {
    const before = { displayName: 'Acme', policy: { calls: { limit: 5 }, storeAndForward: false } };
    const after = withAssignments(before, [
      'policy.calls.limit=9',
      'watch.default=nobody',
      'policy.storeAndForward=true',
    ]);
    expect(after).toEqual({
      displayName: 'Acme',
      policy: { calls: { limit: 9 }, storeAndForward: true },
      watch: { default: 'nobody' },
    });
    expect(before.policy.calls.limit).toBe(5);
  });

  it('takes a setting away', () => {
    expect(withAssignments({ a: { b: 1, c: 2 } }, ['a.b='])).toEqual({ a: { c: 2 } });
  });

  it('keeps texts that are no JSON, and what follows a second =', () => {
    expect(withAssignments({}, ['name=Müller & Co', 'x=a=b', 'list=["1","2"]'])).toEqual({
      name: 'Müller & Co',
      x: 'a=b',
      list: ['1', '2'],
    });
  });

  it.each(['noassignment', '=5', 'a..b=1', '__proto__.x=1'])('refuses %s', (text) => {
    expect(() => withAssignments({}, [text])).toThrow('is no setting');
  });

  it('reads a file of settings, and nothing else', () => {
    expect(readSettings('{"policy":{}}', 'file.json')).toEqual({ policy: {} });
    for (const text of ['[]', '5', 'null', '{', '']) {
      expect(() => readSettings(text, 'file.json')).toThrow('file.json holds no JSON object');
    }
  });

  it('flattens for reading', () => {
    expect(flattened({ a: 1, b: { c: 'x', d: { e: [1] } } })).toEqual({ a: '1', 'b.c': 'x', 'b.d.e': '[1]' });
  });
});
