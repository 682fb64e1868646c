import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyChanges,
  BINDING_LIMITS,
  type Binding,
  type ContactWish,
  composeContact,
  decideChanges,
  readContacts,
} from '#core/binding.ts';
import { SipRejection } from '#core/error.ts';

const T0 = 1_700_000_000_000;
const POLICY = { minExpiresSeconds: 60, defaultExpiresSeconds: 3_600, maxExpiresSeconds: 7_200 };
const CONTEXT = { gatewayId: 'gateway-1', flowId: 'flow-1', callId: 'call-1', cseq: 5 };
const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"';

function wishes(contact: string | string[], expires?: string): readonly ContactWish[] {
  const result = readContacts([contact].flat(), expires, POLICY);
  if (result === '*') throw new Error('a list was expected');
  return result;
}

function saved(contact: string, change: Partial<Binding> = {}): Binding {
  const [wish] = wishes(contact, '600');
  if (!wish) throw new Error('a contact was expected');
  const { id, contactUri, params } = wish;
  return { ...CONTEXT, id, contactUri, params, updatedAtMs: T0, expiresAtMs: T0 + 600_000, ...change };
}

describe('readContacts', () => {
  it.each([
    ['<sip:a@h>;expires=120', '600', 120],
    ['<sip:a@h>', '600', 600],
    ['<sip:a@h>', undefined, 3_600],
    ['<sip:a@h>;expires=soon', '600', 600],
    ['<sip:a@h>', 'soon', 3_600],
    ['<sip:a@h>;expires=0', '600', 0],
    ['<sip:a@h>', '0', 0],
    ['<sip:a@h>;expires=60', undefined, 60],
    ['<sip:a@h>;expires=99999999999999', undefined, 7_200],
  ])('grants %s with Expires %s: %i s', (contact, expires, seconds) => {
    expect(wishes(contact, expires)[0]?.expiresSeconds).toBe(seconds);
  });

  it('refuses a short time with 423 and Min-Expires', () => {
    expect(() => wishes('<sip:a@h>;expires=59')).toThrow(
      expect.objectContaining({ status: 423, headers: [['Min-Expires', '60']] }),
    );
  });

  it('reads several contacts, in one line or more', () => {
    expect(wishes(['<sip:a@h>, <sip:b@h>', '<sip:c@h>']).map((wish) => wish.contactUri)).toEqual([
      'sip:a@h',
      'sip:b@h',
      'sip:c@h',
    ]);
  });

  it('takes * only alone and with Expires 0 (RFC 3261 section 10.3, step 6)', () => {
    expect(readContacts(['*'], '0', POLICY)).toBe('*');
    expect(() => readContacts(['*'], '60', POLICY)).toThrow(expect.objectContaining({ status: 400 }));
    expect(() => readContacts(['*'], undefined, POLICY)).toThrow(expect.objectContaining({ status: 400 }));
    expect(() => readContacts(['*', '<sip:a@h>'], '0', POLICY)).toThrow(expect.objectContaining({ status: 400 }));
  });

  it.each(['<sip:a@h', '', 'a b c', '<sip:a@h>, *'])('refuses Contact "%s" with 400', (contact) => {
    expect(() => readContacts([contact], '60', POLICY)).toThrow(expect.objectContaining({ status: 400 }));
  });

  it('bounds the contacts of a request', () => {
    const contacts = (count: number) => Array.from({ length: count }, (_, index) => `<sip:${index}@h>`);
    expect(wishes(contacts(BINDING_LIMITS.contactsPerRequest))).toHaveLength(BINDING_LIMITS.contactsPerRequest);
    expect(() => wishes(contacts(BINDING_LIMITS.contactsPerRequest + 1))).toThrow(SipRejection);
  });

  it('knows a UA instance by instance and reg-id, whatever its URI (RFC 5626 section 6)', () => {
    const [first] = wishes(`<sip:a@one.invalid>;${INSTANCE};reg-id=1`);
    const [again] = wishes(`<sip:b@two.invalid>;reg-id=01;${INSTANCE}`);
    const [second] = wishes(`<sip:a@one.invalid>;${INSTANCE};reg-id=2`);
    expect(again?.id).toBe(first?.id);
    expect(second?.id).not.toBe(first?.id);
    expect(first?.isOutbound).toBe(true);
  });

  it('ignores a reg-id without instance, and an instance without reg-id (RFC 5626 section 6)', () => {
    const plain = wishes('<sip:a@h>')[0]?.id;
    expect(wishes('<sip:a@h>;reg-id=1')[0]).toMatchObject({ id: plain, isOutbound: false });
    expect(wishes(`<sip:a@h>;${INSTANCE}`)[0]).toMatchObject({ id: plain, isOutbound: false });
  });

  it.each(['0', 'x', '-1'])('refuses reg-id=%s', (regId) => {
    expect(() => wishes(`<sip:a@h>;${INSTANCE};reg-id=${regId}`)).toThrow(expect.objectContaining({ status: 400 }));
  });

  it('takes one new contact with a reg-id, beside others that go (RFC 5626 section 6)', () => {
    const flow = `<sip:a@h>;${INSTANCE};reg-id=1`;
    expect(wishes([flow, '<sip:b@h>;expires=0'])).toHaveLength(2);
    expect(() => wishes([flow, '<sip:b@h>'])).toThrow(expect.objectContaining({ status: 400 }));
  });

  it.each([
    ['sip:alice@Host.example', 'sip:alice@host.EXAMPLE'],
    ['sip:al%69ce@h', 'sip:alice@h'],
    ['sip:a@h;transport=WS;ob', 'sip:a@h;ob;transport=ws'],
  ])('takes %s and %s for one contact (RFC 3261 section 19.1.4)', (left, right) => {
    expect(wishes(`<${left}>`)[0]?.id).toBe(wishes(`<${right}>`)[0]?.id);
  });

  it.each([
    ['sip:alice@h', 'sip:Alice@h'],
    ['sip:a@h', 'sip:a@h:5060'],
    ['sip:a@h', 'sips:a@h'],
    ['sip:a@h', 'sip:a@h;transport=ws'],
    ['tel:+1', 'tel:+2'],
  ])('takes %s and %s for two contacts', (left, right) => {
    expect(wishes(`<${left}>`)[0]?.id).not.toBe(wishes(`<${right}>`)[0]?.id);
  });
});

describe('decideChanges', () => {
  it('adds and refreshes', () => {
    const changes = decideChanges(wishes('<sip:a@h>', '120'), [], CONTEXT, T0);
    expect(changes).toMatchObject([{ kind: 'save', binding: { flowId: 'flow-1', expiresAtMs: T0 + 120_000 } }]);
    const later = decideChanges(wishes('<sip:a@h>', '120'), [saved('<sip:a@h>')], { ...CONTEXT, cseq: 6 }, T0 + 1);
    expect(later).toMatchObject([{ kind: 'save', binding: { cseq: 6, expiresAtMs: T0 + 120_001 } }]);
  });

  it('keeps the time when a binding was added', () => {
    const [added] = decideChanges(wishes('<sip:a@h>'), [], CONTEXT, T0);
    const context = { ...CONTEXT, cseq: 6 };
    const current = added === undefined ? [] : [added.binding];
    expect(decideChanges(wishes('<sip:a@h>'), current, context, T0 + 9)).toMatchObject([
      { binding: { createdAtMs: T0, updatedAtMs: T0 + 9 } },
    ]);
    // One of before this was kept counts from its last refresh.
    expect(decideChanges(wishes('<sip:a@h>'), [saved('<sip:a@h>')], context, T0 + 9)).toMatchObject([
      { binding: { createdAtMs: T0 } },
    ]);
  });

  it('removes what is there, and only that', () => {
    const current = [saved('<sip:a@h>'), saved('<sip:b@h>')];
    const context = { ...CONTEXT, cseq: 6 };
    const changes = decideChanges(wishes(['<sip:a@h>', '<sip:c@h>'], '0'), current, context, T0);
    expect(applyChanges(current, changes).map(({ contactUri }) => contactUri)).toEqual(['sip:b@h']);
    expect(changes).toHaveLength(1);
    expect(applyChanges(current, decideChanges('*', current, context, T0))).toEqual([]);
  });

  it.each([4, 5])('refuses CSeq %i after 5 of the same Call-ID with 500', (cseq) => {
    const current = [saved('<sip:a@h>')];
    const late = { ...CONTEXT, cseq };
    expect(() => decideChanges(wishes('<sip:a@h>'), current, late, T0)).toThrow(
      expect.objectContaining({ status: 500 }),
    );
    expect(() => decideChanges('*', current, late, T0)).toThrow(expect.objectContaining({ status: 500 }));
  });

  it('takes any CSeq of another Call-ID, and a query at any time', () => {
    const current = [saved('<sip:a@h>')];
    expect(decideChanges(wishes('<sip:a@h>'), current, { ...CONTEXT, callId: 'call-2', cseq: 1 }, T0)).toHaveLength(1);
    expect(decideChanges([], current, { ...CONTEXT, cseq: 1 }, T0)).toEqual([]);
  });

  it('bounds the bindings of a user; a refresh still passes', () => {
    const current = Array.from({ length: BINDING_LIMITS.bindingsPerUser }, (_, index) => saved(`<sip:${index}@h>`));
    const context = { ...CONTEXT, cseq: 6 };
    expect(() => decideChanges(wishes('<sip:new@h>'), current, context, T0)).toThrow(
      expect.objectContaining({ status: 403 }),
    );
    expect(decideChanges(wishes('<sip:7@h>'), current, context, T0)).toHaveLength(1);
  });
});

describe('composeContact', () => {
  it('gives URI and parameters back, with the time that is left', () => {
    const contact = `<sip:a@h.invalid;transport=ws>;q=0.5;${INSTANCE};reg-id=1;audio`;
    expect(composeContact(saved(contact), T0 + 500)).toBe(`${contact};expires=600`);
  });

  it('survives reading it again', () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
    const text = fc.stringMatching(/^[ -~]{0,12}$/);
    fc.assert(
      fc.property(fc.dictionary(token, text), (params) => {
        const entries = Object.entries(params).filter(([name]) => name !== 'expires' && name !== 'reg-id');
        const binding = { ...saved('<sip:a@h>'), params: entries };
        expect(wishes(composeContact(binding, T0))[0]?.params).toEqual(entries);
      }),
    );
  });
});
