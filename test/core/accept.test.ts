import { describe, expect, it } from 'vitest';
import { chooseContentType } from '#core/accept.ts';

const XML = 'application/dialog-info+xml';

describe('chooseContentType (RFC 3261 section 20.1)', () => {
  it.each([
    [[], XML],
    [[XML], XML],
    [['APPLICATION/Dialog-Info+XML'], XML],
    [[`${XML};q=0.5, text/plain`], XML],
    [['multipart/related, application/rlmi+xml', XML], XML],
    [['application/*'], XML],
    [['*/*'], XML],
    [['*/*;q=0.1'], XML],
    [['application/pidf+xml'], undefined],
    [['text/*'], undefined],
    [[`${XML};q=0`], undefined],
    [[`*/*, ${XML};q=0.0`], undefined],
    [[`application/*;q=0, */*`], undefined],
    [[`application/*;q=0, ${XML}`], XML],
    [[''], undefined],
  ])('of %j', (accept, chosen) => {
    expect(chooseContentType(accept, [XML])).toBe(chosen);
  });

  it('takes the type of highest quality, then the one offered first', () => {
    expect(chooseContentType(['a/two;q=0.9, a/one;q=0.8'], ['a/one', 'a/two'])).toBe('a/two');
    expect(chooseContentType(['a/two, a/one'], ['a/one', 'a/two'])).toBe('a/one');
  });
});
