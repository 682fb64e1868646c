import { describe, expect, it } from 'vitest';
import { requestedPackage } from '#core/event-package.ts';

const onlyOf = (event: string) => requestedPackage(event).only;

describe('the dialog that an Event asks for (RFC 4235 section 3.2)', () => {
  it('is named by its Call-ID and tags, of which to-tag is the presentity’s own', () => {
    expect(onlyOf('dialog;call-id="a;b@c";to-tag=l;from-tag=r')).toEqual({
      callId: 'a;b@c',
      localTag: 'l',
      remoteTag: 'r',
    });
    expect(onlyOf('Dialog;Call-ID=a;to-tag=l')).toEqual({ callId: 'a', localTag: 'l' });
  });

  it('is none without a Call-ID, and in other packages', () => {
    expect(onlyOf('dialog')).toBeUndefined();
    expect(onlyOf('dialog;to-tag=l;from-tag=r;call-id=')).toBeUndefined();
    expect(onlyOf('presence;call-id=a;to-tag=l')).toBeUndefined();
  });

  it('has names of bounded length', () => {
    expect(() => onlyOf(`dialog;call-id=${'a'.repeat(600)}`)).toThrow('Too Long');
  });
});
