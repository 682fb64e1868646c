import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseXml, type XmlElement } from '#core/xml.ts';
import { ListDocument, MAX_LIST_BODY_BYTES, type MemberState } from '#gateway/list-document.ts';
import type { Document } from '#gateway/subscription-table.ts';
import { partsOf, type RlmiList, readRlmi } from '#test/support/rlmi.ts';
import { schemaProblems } from '#test/support/schema.ts';

const LIST = 'sip:blf-all@demo.example';
const aor = (index: number): string => `sip:${1001 + index}@demo.example`;

function documentOf(presentityVersion: number, text = `state ${presentityVersion}`): Document {
  const [before, after] = ['<d version="', `">${text}</d>`];
  const bytes = Buffer.byteLength(before + after);
  const whole = { entityTag: undefined, partial: undefined, before, after, bytes };
  return { presentityVersion, contentType: 'application/dialog-info+xml', ...whole };
}

const active = (index: number, presentityVersion = 1): MemberState => ({
  uri: aor(index),
  state: 'active',
  document: documentOf(presentityVersion),
});

interface Composed extends RlmiList {
  readonly text: string;
  readonly bytes: number;
}

/** Composes the next document as a NOTIFY with this version carries it. */
function compose(list: ListDocument, version: number): Composed {
  const { contentType, before, after = '', bytes } = list.compose(version);
  const text = `${before}${version}${after}`;
  expect(bytes).toBe(Buffer.byteLength(before) + Buffer.byteLength(after));
  return { ...readRlmi(contentType, text), text, bytes };
}

const uris = ({ resources }: RlmiList): string[] => resources.map(({ uri }) => uri);

describe('the document of an event list (RFC 4662)', () => {
  test('is full first and after each SUBSCRIBE, partial for what changed between', () => {
    const list = new ListDocument(LIST, 'tag', 0);
    list.replace([active(0), active(1), active(2)]);
    const first = compose(list, 0);
    expect(first).toMatchObject({ uri: LIST, version: 0, isFull: true });
    expect(uris(first)).toEqual([aor(0), aor(1), aor(2)]);
    expect(list.hasChanges).toBe(false);

    expect(list.take(aor(1), documentOf(2))).toBe(true);
    const second = compose(list, 1);
    expect(second).toMatchObject({ version: 1, isFull: false });
    expect(uris(second)).toEqual([aor(1)]);
    expect(second.resources[0]?.body).toBe('<d version="1">state 2</d>');

    list.replace([active(0), active(2)]);
    const third = compose(list, 2);
    expect(third.isFull).toBe(true);
    expect(uris(third)).toEqual([aor(0), aor(2)]);
  });

  test('numbers every member from 0, each by one', () => {
    const list = new ListDocument(LIST, 'tag', 0);
    list.replace([active(0), active(1)]);
    expect(compose(list, 0).resources.map(({ body }) => body)).toEqual([
      '<d version="0">state 1</d>',
      '<d version="0">state 1</d>',
    ]);
    list.take(aor(0), documentOf(2));
    list.take(aor(0), documentOf(3));
    expect(compose(list, 1).resources.map(({ body }) => body)).toEqual(['<d version="1">state 3</d>']);
    list.demandFull();
    expect(compose(list, 2).resources.map(({ body }) => body)).toEqual([
      '<d version="2">state 3</d>',
      '<d version="1">state 1</d>',
    ]);
  });

  test('goes on above what another gateway has numbered', () => {
    const list = new ListDocument(LIST, 'tag', 700);
    list.replace([active(0)]);
    expect(compose(list, 700).resources[0]?.body).toContain('version="700"');
  });

  test('shows a member that nobody knows as terminated, without a part; it becomes active with its first state', () => {
    const list = new ListDocument(LIST, 'tag', 0);
    list.replace([active(0), { uri: 'tel:+1555', name: 'A & "B"', state: 'terminated', reason: 'noresource' }]);
    expect(compose(list, 0).resources[1]).toEqual({
      uri: 'tel:+1555',
      name: 'A & "B"',
      instance: { id: '2', state: 'terminated', reason: 'noresource' },
      cid: undefined,
      body: undefined,
    });
    expect(list.take('tel:+1555', documentOf(1))).toBe(true);
    expect(compose(list, 1).resources[0]).toMatchObject({ instance: { state: 'active' }, body: expect.any(String) });
  });

  test('drops states of strangers, and older or equal ones', () => {
    const list = new ListDocument(LIST, 'tag', 0);
    list.replace([active(0, 5)]);
    compose(list, 0);
    expect(list.take(aor(7), documentOf(9))).toBe(false);
    expect(list.take(aor(0), documentOf(5))).toBe(false);
    expect(list.take(aor(0), documentOf(4))).toBe(false);
    expect(list.hasChanges).toBe(false);
  });

  test('keeps a state that overtook the outcome of a refresh', () => {
    const list = new ListDocument(LIST, 'tag', 0);
    list.replace([active(0, 1)]);
    list.take(aor(0), documentOf(3));
    list.replace([active(0, 2)]);
    expect(compose(list, 0).resources[0]?.body).toContain('state 3');
  });

  test('ends with all its instances, in full', () => {
    const list = new ListDocument(LIST, 'tag', 0);
    list.replace([active(0), { uri: 'sip:x@y', state: 'terminated', reason: 'noresource' }]);
    compose(list, 0);
    list.end('timeout');
    const last = compose(list, 1);
    expect(last.isFull).toBe(true);
    expect(last.resources.map(({ instance }) => instance)).toEqual([
      { id: '1', state: 'terminated', reason: 'timeout', cid: expect.any(String) },
      { id: '2', state: 'terminated', reason: 'noresource' },
    ]);
  });

  test('names everything at once, and hands documents that do not fit in later', () => {
    const list = new ListDocument(LIST, 'tag', 0);
    const large = (index: number): MemberState => ({
      ...active(index),
      document: documentOf(1, `${index} `.padEnd(3_000, 'ö')),
    });
    list.replace(Array.from({ length: 40 }, (_, index) => large(index)));
    const seen = new Map<string, string>();
    let version = 0;
    for (; list.hasChanges; version++) {
      const composed = compose(list, version);
      expect(Buffer.byteLength(composed.text)).toBeLessThanOrEqual(MAX_LIST_BODY_BYTES);
      if (list.hasChanges) expect(Buffer.byteLength(composed.text)).toBeGreaterThan(MAX_LIST_BODY_BYTES - 8_000);
      expect(composed.isFull).toBe(version === 0);
      if (version === 0) expect(composed.resources).toHaveLength(40);
      for (const { uri, body } of composed.resources) if (body !== undefined) seen.set(uri, body);
    }
    expect(version).toBeGreaterThan(2);
    expect(version).toBeLessThan(8);
    expect(seen.size).toBe(40);
  });

  test('sends one document alone, however long it is', () => {
    const list = new ListDocument(LIST, 'tag', 0);
    const text = 'x'.repeat(MAX_LIST_BODY_BYTES);
    list.replace([{ ...active(0), document: documentOf(1, text) }, active(1)]);
    expect(compose(list, 0).resources.map(({ body }) => body?.length ?? 0)).toEqual([
      text.length + '<d version="0"></d>'.length,
      0,
    ]);
    expect(compose(list, 1).resources.map(({ uri }) => uri)).toEqual([aor(1)]);
  });

  test('escapes hostile names', () => {
    const list = new ListDocument('sip:"<&>\'@demo.example', 'tag', 0);
    list.replace([{ uri: 'sip:a"b<c>&@demo.example', name: ']]><!--', state: 'active', document: documentOf(1) }]);
    const { uri, resources } = compose(list, 0);
    expect(uri).toBe('sip:"<&>\'@demo.example');
    expect(resources[0]).toMatchObject({ uri: 'sip:a"b<c>&@demo.example', name: ']]><!--' });
  });
});

type Step =
  | { readonly kind: 'state'; readonly member: number; readonly version: number }
  | { readonly kind: 'send' | 'lose' }
  | { readonly kind: 'refresh'; readonly members: readonly number[] };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('state' as const), member: fc.nat(5), version: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('send' as const, 'lose' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('refresh' as const),
      members: fc.uniqueArray(fc.nat(5), { minLength: 1 }),
    }),
  },
);

test('any order of states, losses and refreshes: the watcher sees the newest of every member, versions count by one', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new ListDocument(LIST, 'tag', 0);
      const newest = new Map<number, number>(); // the model: what the system knows
      let members = [0, 1, 2];
      const seen = new Map<string, string>(); // the watcher
      const versions = new Map<string, number>();
      let version = 0;
      let isFirst = true;
      const refresh = (now: readonly number[]): void => {
        members = [...now];
        list.replace(members.map((member) => active(member, newest.get(member) ?? 0)));
      };
      const send = (isLost: boolean): void => {
        if (!list.hasChanges) return;
        const composed = compose(list, version++);
        if (isFirst) expect(composed.isFull).toBe(true);
        isFirst = false;
        if (composed.isFull) seen.clear();
        expect(new Set(uris(composed)).size).toBe(composed.resources.length);
        for (const { uri, body = '' } of composed.resources) {
          const [, number, text = ''] = /version="(\d+)">(.*)<\/d>/.exec(body) ?? [];
          expect(Number(number)).toBe(versions.get(uri) ?? 0);
          versions.set(uri, Number(number) + 1);
          if (!isLost) seen.set(uri, text);
        }
        if (isLost) list.demandFull();
      };
      refresh(members);
      for (const each of steps) {
        if (each.kind === 'refresh') {
          for (const member of members) if (!each.members.includes(member)) versions.delete(aor(member));
          refresh(each.members);
        } else if (each.kind === 'state') {
          const known = members.includes(each.member) ? (newest.get(each.member) ?? 0) : Number.POSITIVE_INFINITY;
          expect(list.take(aor(each.member), documentOf(each.version))).toBe(each.version > known);
          if (each.version > (newest.get(each.member) ?? 0)) newest.set(each.member, each.version);
        } else send(each.kind === 'lose');
      }
      while (list.hasChanges) send(false);
      expect(Object.fromEntries(seen)).toEqual(
        Object.fromEntries(members.map((member) => [aor(member), `state ${newest.get(member) ?? 0}`])),
      );
    }),
    { numRuns: 500 },
  );
});

test('the body is a multipart whose lines end as RFC 2046 wants them', () => {
  const list = new ListDocument(LIST, 'tag', 0);
  list.replace([active(0)]);
  const { contentType, before, after } = list.compose(0);
  expect(contentType).toBe(
    'multipart/related;type="application/rlmi+xml";start="<rlmi.tag@demo.example>";boundary="list-tag"',
  );
  const parts = partsOf(contentType, `${before}0${after}`);
  expect(parts.map(({ headers }) => Object.fromEntries(headers))).toEqual([
    {
      'content-transfer-encoding': 'binary',
      'content-id': '<rlmi.tag@demo.example>',
      'content-type': 'application/rlmi+xml;charset="UTF-8"',
    },
    {
      'content-transfer-encoding': 'binary',
      'content-id': '<1.0.tag@demo.example>',
      'content-type': 'application/dialog-info+xml',
    },
  ]);
  const root: XmlElement = parseXml(parts[0]?.body ?? '');
  expect([root.namespace, root.name]).toEqual(['urn:ietf:params:xml:ns:rlmi', 'list']);
});

test('every RLMI document is valid by its schema', () => {
  const list = new ListDocument('sip:a&b@demo.example', 'tag', 0);
  const documents: string[] = [];
  const keep = (version: number): void => {
    const { contentType, before, after } = list.compose(version);
    documents.push(partsOf(contentType, `${before}${version}${after}`)[0]?.body ?? '');
  };
  list.replace([
    active(0),
    { ...active(1), name: '<&>"\'' },
    { uri: 'tel:1', state: 'terminated', reason: 'noresource' },
  ]);
  keep(0);
  list.take(aor(1), documentOf(2));
  keep(1);
  list.replace([]);
  keep(4_294_967_295);
  list.replace([active(3)]);
  list.end('deactivated');
  keep(3);
  expect(documents.join('')).toContain('fullState="false"');
  expect(schemaProblems('rlmi', documents)).toEqual([]);
  expect(schemaProblems('rlmi', [documents[0]?.replace('version="0"', '') ?? ''])).not.toEqual([]);
});
