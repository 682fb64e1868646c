import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SipRejection } from '#core/error.ts';
import { PIDF_LIMITS, parsePidf, renderPidf } from '#core/pidf.ts';
import type { Extension, Presence } from '#core/presence.ts';
import { activities, NO_PRESENCE, pidf, tupleElement } from '#test/support/presence.ts';
import { schemaProblems } from '#test/support/schema.ts';

const ENTITY = 'sip:1002@demo.example';
const MOOD = 'urn:ietf:params:xml:ns:pidf:rpid';

function refusal(text: string): string {
  try {
    parsePidf(text);
  } catch (error) {
    if (error instanceof SipRejection) return `${error.status} ${error.reason}`;
    throw error;
  }
  return 'accepted';
}

const RICH = pidf(`
  <tuple id="desk">
    <status><basic>open</basic><x:line xmlns:x="urn:x">2</x:line></status>
    <rpid:class>phone</rpid:class>
    <contact priority="0.8">sip:1002@192.0.2.1;transport=ws</contact>
    <note xml:lang="en">At my desk &amp; free</note>
    <timestamp>2026-11-21T12:00:00Z</timestamp>
  </tuple>
  <note>Whole presentity</note>
  <dm:person id="me">
    <rpid:activities><rpid:note>Quarterly</rpid:note><rpid:meeting/><rpid:other>juggling</rpid:other><y:chess xmlns:y="urn:y"/></rpid:activities>
    <rpid:mood><rpid:happy/></rpid:mood>
    <dm:note>Back at noon</dm:note>
  </dm:person>
  <dm:device id="d1"><dm:deviceID>urn:device:1</dm:deviceID></dm:device>`);

describe('parsePidf', () => {
  it('reads tuples, notes, the person, its activities, and passes other elements through', () => {
    const presence = parsePidf(RICH);
    expect(presence.tuples).toEqual([
      {
        ...{ id: 'desk', basic: 'open', notes: ['At my desk & free'], timestamp: '2026-11-21T12:00:00Z' },
        contact: { uri: 'sip:1002@192.0.2.1;transport=ws', priority: '0.8' },
        statusExtensions: [{ namespace: 'urn:x', name: 'line', attributes: {}, text: '2', children: [] }],
        extensions: [{ namespace: MOOD, name: 'class', attributes: {}, text: 'phone', children: [] }],
      },
    ]);
    expect(presence).toMatchObject({ notes: ['Whole presentity'], personNotes: ['Back at noon', 'Quarterly'] });
    expect(presence.activities).toEqual([
      { namespace: '', name: 'meeting', text: '' },
      { namespace: '', name: 'other', text: 'juggling' },
      { namespace: 'urn:y', name: 'chess', text: '' },
    ]);
    expect(presence.personExtensions).toMatchObject([{ name: 'mood', children: [{ namespace: MOOD, name: 'happy' }] }]);
    expect(presence.extensions).toMatchObject([{ name: 'device', attributes: { id: 'd1' } }]);
  });

  it.each([
    ['in the tuple', tupleElement('t', 'open', '<rpid:activities><rpid:busy/></rpid:activities>')],
    [
      'as a draft had them',
      '<tuple id="t"><status><basic>open</basic><e:activities xmlns:e="urn:ietf:params:xml:ns:pidf:rpid:status"><e:activity>busy</e:activity></e:activities></status></tuple>',
    ],
    ['beside the tuples', `${tupleElement('t', 'open')}<rpid:activities><rpid:busy/></rpid:activities>`],
    ['in the person', `${tupleElement('t', 'open')}${activities('busy')}`],
  ])('finds activities %s', (_where, inside) => {
    expect(parsePidf(pidf(inside)).activities).toEqual([{ namespace: '', name: 'busy', text: '' }]);
  });

  it('makes an id that XML could not carry again one that it can', () => {
    const [tuple] = parsePidf(pidf(tupleElement('1:2 3', 'open'))).tuples;
    expect(tuple?.id).toMatch(/^t[0-9a-f]{16}$/);
  });

  it('leaves out elements that would make documents of ours unreadable', () => {
    const hostile = [
      '<x xmlns="no uri"/>',
      '<x xmlns="urn:&quot;&lt;"/>',
      '<x xmlns=""/>',
      '<xml:x/>',
      '<a:b:c xmlns:a="urn:a"/>',
    ];
    const inside = `${tupleElement('t', 'open', hostile.join(''))}${hostile.join('')}<ok xmlns="urn:ok" é="1"/>`;
    const presence = parsePidf(pidf(inside));
    expect(presence.tuples[0]?.extensions).toEqual([]);
    expect(presence.extensions).toEqual([{ namespace: 'urn:ok', name: 'ok', attributes: {}, text: '', children: [] }]);
  });

  it('leaves out what has no use: empty notes, bad priorities, times that are none', () => {
    const more = '<contact priority="2">sip:a@b</contact><note> </note><timestamp>2026-02-30T12:00:00Z</timestamp>';
    expect(parsePidf(pidf(tupleElement('a', 'closed', more))).tuples).toEqual([
      { id: 'a', basic: 'closed', contact: { uri: 'sip:a@b' }, notes: [], statusExtensions: [], extensions: [] },
    ]);
  });

  it.each([
    ['another document', '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info"/>', '400 Not a PIDF Document'],
    ['no namespace', '<presence entity="sip:a@b"/>', '400 Not a PIDF Document'],
    ['no id', pidf('<tuple><status/></tuple>'), '400 Tuple Without id'],
    ['no status', pidf('<tuple id="a"/>'), '400 Tuple Without One Status'],
    ['two statuses', pidf('<tuple id="a"><status/><status/></tuple>'), '400 Tuple Without One Status'],
    ['an unknown basic', pidf(tupleElement('a', 'OPEN')), '400 Unknown Basic Status'],
    [
      'a document type',
      `<!DOCTYPE presence [<!ENTITY x SYSTEM "file:///etc/passwd">]>${pidf('<note>&x;</note>')}`,
      '400 Bad XML: Document Type Not Allowed',
    ],
    ['an entity', pidf('<note>&x;</note>'), '400 Bad XML: Unknown Entity'],
    ['many tuples', pidf(tupleElement('a', 'open').repeat(PIDF_LIMITS.tuples + 1)), '413 Presence Document Too Large'],
    ['a long note', pidf(`<note>${'n'.repeat(1_025)}</note>`), '413 Presence Document Too Large'],
    ['many notes', pidf('<note>n</note>'.repeat(17)), '413 Presence Document Too Large'],
    ['many activities', pidf(activities(...Array(17).fill('busy'))), '413 Presence Document Too Large'],
    ['many extensions', pidf('<x xmlns="urn:x"/>'.repeat(65)), '413 Presence Document Too Large'],
    [
      'deep extensions',
      pidf(`<x xmlns="urn:x">${'<y>'.repeat(4)}${'</y>'.repeat(4)}</x>`),
      '413 Presence Document Too Large',
    ],
  ])('refuses %s', (_what, text, expected) => {
    expect(refusal(text)).toBe(expected);
  });
});

const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9._-]{0,10}$/);
/** Any characters that XML can carry, hostile ones first. */
const text = fc
  .oneof(
    fc.constantFrom('<', '&', '"', "'", ']]>', '<!--', '&amp;', '\u0000', '\ud800', 'ü', '\u{1f600}', '\r\n'),
    fc.string({ unit: 'binary' }),
  )
  .map((value) => `a${value}`);
const leaf: fc.Arbitrary<Extension> = fc.record({
  namespace: fc.constantFrom('urn:x', "http://x.example/a?b=1&c='d'"),
  name,
  attributes: fc.dictionary(
    name.filter((each) => !/^xml/i.test(each)),
    text,
    { maxKeys: 2 },
  ),
  text,
  children: fc.constant([]),
});
const shallow = fc
  .tuple(leaf, fc.array(leaf, { maxLength: 2 }))
  .map(([each, children]): Extension => ({ ...each, children }));
const texts = fc.array(text, { maxLength: 3 });
const presence: fc.Arbitrary<Presence> = fc.record({
  tuples: fc.uniqueArray(
    fc.record(
      {
        id: name,
        basic: fc.constantFrom('open' as const, 'closed' as const),
        contact: fc.record({ uri: fc.constant('sip:a@b;x=%22'), priority: fc.constantFrom('0.5', '1') }),
        notes: texts,
        timestamp: fc.constant('2026-11-21T12:00:00.5+01:00'),
        statusExtensions: fc.array(shallow, { maxLength: 1 }),
        extensions: fc.array(shallow, { maxLength: 2 }),
      },
      { requiredKeys: ['id', 'notes', 'statusExtensions', 'extensions'] },
    ),
    { maxLength: 3, selector: ({ id }) => id },
  ),
  notes: texts,
  activities: fc.array(
    fc.oneof(
      fc.record({ namespace: fc.constant('urn:y'), name, text }),
      fc.record({
        namespace: fc.constant(''),
        name: fc.constantFrom('away', 'busy', 'in-transit'),
        text: fc.constant(''),
      }),
      fc.record({ namespace: fc.constant(''), name: fc.constant('other'), text }),
    ),
    { maxLength: 3 },
  ),
  personNotes: texts,
  personExtensions: fc.array(shallow, { maxLength: 2 }),
  extensions: fc.array(shallow, { maxLength: 1 }),
});

/** What is left of a text in a document: neither what XML cannot carry, nor blanks around it. */
const carried = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, each: unknown) =>
    typeof each !== 'string' || key === 'namespace'
      ? each
      : each.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '').trim(),
  );

describe('renderPidf', () => {
  it('is read again as it was, and is valid, whatever characters are in it (property)', () => {
    const documents: string[] = [];
    fc.assert(
      fc.property(presence, (before) => {
        const [document] = renderPidf(ENTITY, before);
        documents.push(document);
        expect(carried(parsePidf(document))).toEqual(carried(before));
      }),
      { numRuns: 150 },
    );
    expect(schemaProblems('pidf', documents)).toEqual([]);
  });

  it('is valid for a rich document, for nothing, and for an entity with hostile characters', () => {
    const documents = [parsePidf(RICH), NO_PRESENCE].flatMap((each) => renderPidf(ENTITY, each));
    documents.push(...renderPidf(`sip:"<&>'@demo.example`, NO_PRESENCE));
    expect(schemaProblems('pidf', documents)).toEqual([]);
  });

  it('passes on an activity that RFC 4480 does not have', () => {
    const [document] = renderPidf(ENTITY, parsePidf(pidf(activities('dnd'))));
    expect(document).toContain('<rpid:activities><rpid:dnd/></rpid:activities>');
  });

  it('gives the person an id that no tuple has', () => {
    const [document] = renderPidf(ENTITY, parsePidf(pidf(`${tupleElement('person', 'open')}${activities('busy')}`)));
    expect(document).toContain('<dm:person id="person-">');
    expect(schemaProblems('pidf', [document])).toEqual([]);
  });

  it('fails the schema when something is wrong, so that the schema means something', () => {
    expect(schemaProblems('pidf', [pidf(tupleElement('a', 'away'))])).not.toEqual([]);
    expect(schemaProblems('pidf', [pidf('<dm:person id="p"><dm:note>n</dm:note><rpid:x/></dm:person>')])).not.toEqual(
      [],
    );
  });
});
