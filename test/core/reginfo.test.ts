import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Binding } from '#core/binding.ts';
import { renderRegInfo } from '#core/reginfo.ts';
import { parseXml } from '#core/xml.ts';
import { T0 } from '#test/support/envelope.ts';
import { schemaProblems } from '#test/support/schema.ts';

const ENTITY = 'sip:1002@demo.example';
const binding = (more: Partial<Binding> = {}): Binding => ({
  ...{ id: 'b1', contactUri: 'sip:1002@x.invalid;transport=ws', gatewayId: 'g', flowId: 'f', callId: 'c@h', cseq: 7 },
  ...{ updatedAtMs: T0, expiresAtMs: T0 + 600_000 },
  params: [
    ['q', '0.5'],
    ['+sip.instance', '<urn:uuid:1>'],
  ],
  ...more,
});
const document = (bindings: readonly Binding[], wasRegistered = true) =>
  renderRegInfo(ENTITY, { bindings, wasRegistered }, T0).join('3');

describe('renderRegInfo (RFC 3680)', () => {
  it('lists each contact with what is left of it', () => {
    const root = parseXml(document([binding()]));
    expect(Object.fromEntries(root.attributes)).toMatchObject({ version: '3', state: 'full' });
    const [registration] = root.children;
    expect(registration?.attributes.get('aor')).toBe(ENTITY);
    expect(registration?.attributes.get('state')).toBe('active');
    const contact = registration?.children[0];
    expect(Object.fromEntries(contact?.attributes ?? [])).toEqual({
      ...{ id: 'b1', state: 'active', event: 'created', 'duration-registered': '0' },
      ...{ expires: '600', q: '0.5', callid: 'c@h', cseq: '7' },
    });
    expect(contact?.children).toMatchObject([
      { name: 'uri', text: 'sip:1002@x.invalid;transport=ws' },
      { name: 'unknown-param', text: '<urn:uuid:1>' },
    ]);
  });

  it('tells a contact that was refreshed, and how long it is known', () => {
    const refreshed = document([binding({ createdAtMs: T0 - 90_500, updatedAtMs: T0 - 500 })]);
    expect(refreshed).toContain('event="refreshed" duration-registered="90"');
  });

  it('tells who never registered from who no longer is', () => {
    expect(document([], false)).toContain('state="init"');
    expect(document([], true)).toContain('state="terminated"');
  });

  it('is valid, whatever characters are in it (property)', () => {
    const text = fc.string({ unit: 'binary' });
    const documents = fc.sample(
      fc.record({ id: text, callId: text, params: fc.array(fc.tuple(text, text), { maxLength: 3 }) }),
      50,
    );
    expect(schemaProblems('reginfo', [document([]), ...documents.map((more) => document([binding(more)]))])).toEqual(
      [],
    );
  });
});
