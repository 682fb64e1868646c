import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SipRejection } from '#core/error.ts';
import { escapeXml, parseXml, XML_LIMITS } from '#core/xml.ts';

function refusal(text: string): string {
  try {
    parseXml(text);
  } catch (error) {
    if (error instanceof SipRejection) return `${error.status} ${error.reason}`;
    throw error;
  }
  return 'accepted';
}

describe('parseXml', () => {
  it('gives elements with namespaces, attributes and character data', () => {
    const root = parseXml(
      '<?xml version="1.0"?><p:a xmlns:p="urn:x" k="v&amp;w"><!-- no --><b xmlns="urn:y">t<![CDATA[<&]]>u</b></p:a>',
    );
    expect(root).toMatchObject({ namespace: 'urn:x', name: 'a', text: '' });
    expect(root.attributes.get('k')).toBe('v&w');
    expect(root.children).toMatchObject([{ namespace: 'urn:y', name: 'b', text: 't<&u' }]);
  });

  it('decodes the five entities and character references, and nothing else', () => {
    expect(parseXml('<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;</a>').text).toBe(`<>&"'A\u{1f600}`);
    expect(parseXml('<a>&amp;lt;</a>').text).toBe('&lt;');
    expect(refusal('<a>&eacute;</a>')).toBe('400 Bad XML: Unknown Entity');
    expect(refusal('<a b="&bogus;"/>')).toBe('400 Bad XML: Unknown Entity');
    expect(refusal('<a>&#0;</a>')).toBe('400 Bad XML: Unknown Entity');
    expect(refusal('<a>&#xD800;</a>')).toBe('400 Bad XML: Unknown Entity');
  });

  it.each([
    ['<!DOCTYPE a><a/>', 'Document Type Not Allowed'],
    ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 'Document Type Not Allowed'],
    ['<!doctype a><a/>', 'Document Type Not Allowed'],
    ['<a><b></a>', 'Not Well-Formed'],
    ['<a/><b/>', 'Not One Root Element'],
    ['', 'Not Well-Formed'],
    ['no xml', 'Not Well-Formed'],
    ['<a x="<"/>', 'Not Well-Formed'],
    ['<p:a/>', 'Unbound Prefix'],
    ['<a>\u0007</a>', 'Illegal Character'],
    ['<a>'.repeat(XML_LIMITS.depth + 2) + '</a>'.repeat(XML_LIMITS.depth + 2), 'Nested Too Deeply'],
    [`<a>${'<b/>'.repeat(XML_LIMITS.tags)}</a>`, 'Too Many Elements'],
    ['<__proto__/>', 'Not Well-Formed'],
  ])('refuses %s', (text, reason) => {
    expect(refusal(text)).toBe(`400 Bad XML: ${reason}`);
  });

  it('refuses hostile documents quickly', () => {
    const hostile = [
      '<a>'.repeat(20_000),
      `<a ${'x="1" '.repeat(10_000)}/>`,
      `<a>${'&amp;'.repeat(13_000)}</a>`,
      `<a>${'&'.repeat(65_000)}</a>`,
      `<a b="${' '.repeat(65_000)}`,
      `<${'a'.repeat(65_000)}`,
      '<!--'.repeat(16_000),
      '<![CDATA['.repeat(7_000),
      '<?'.repeat(30_000),
    ];
    for (const text of hostile) {
      const startedMs = performance.now();
      refusal(text);
      expect(performance.now() - startedMs, text.slice(0, 12)).toBeLessThan(500);
    }
  });

  it('never fails in another way, whatever it is given', () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '/',
      'a',
      'b:',
      '"',
      "'",
      '=',
      ' ',
      '&',
      ';',
      '#',
      '<!',
      '--',
      '[',
      ']]>',
      '<?',
      '?>',
      'xmlns',
      '\u0000',
      '\ud800',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        expect(refusal(parts.join(''))).toMatch(/^(accepted|400 Bad XML: )/);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('escapeXml', () => {
  it('survives the way through a parser, whatever the text, as text and as attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const legal = text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '');
        const escaped = escapeXml(text);
        const root = parseXml(`<a b="${escaped}">${escaped}</a>`);
        expect(root.text).toBe(legal);
        expect(root.attributes.get('b') ?? '').toBe(legal);
      }),
      { numRuns: 1_000 },
    );
  });
});
