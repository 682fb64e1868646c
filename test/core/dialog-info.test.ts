import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dialog } from '#core/dialog.ts';
import { DIALOG_INFO_LIMITS, parseDialogInfo, renderDialogInfo, withUniqueIds } from '#core/dialog-info.ts';
import { SipRejection } from '#core/error.ts';
import { dialogElement, dialogInfo } from '#test/support/dialogs.ts';
import { schemaProblems } from '#test/support/schema.ts';

const T0 = 1_700_000_000_000;

function refusal(text: string): string {
  try {
    parseDialogInfo(text, T0);
  } catch (error) {
    if (error instanceof SipRejection) return `${error.status} ${error.reason}`;
    throw error;
  }
  return 'accepted';
}

const RICH = `<dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="456887766" direction="initiator">
  <state event="remote-bye" code="200">terminated</state>
  <duration>274</duration>
  <replaces call-id="old@host" local-tag="a" remote-tag="b"/>
  <referred-by display="Carol">sip:carol@demo.example</referred-by>
  <local>
    <identity display="Alice &lt;A&gt;">sip:alice@demo.example</identity>
    <target uri="sip:alice@pc33.demo.example"><param pname="+sip.rendering" pval="no"/><param pname="isfocus" pval="true"/></target>
  </local>
  <remote><identity>sip:bob@demo.example</identity><target uri="sip:bob@192.0.2.1:5060;transport=tcp"/></remote>
</dialog>`;

const RICH_DIALOG: Dialog = {
  id: 'as7d900as8',
  callId: 'a84b4c76e66710',
  localTag: '1928301774',
  remoteTag: '456887766',
  direction: 'initiator',
  state: 'terminated',
  event: 'remote-bye',
  code: 200,
  startedAtMs: T0 - 274_000,
  replaces: { callId: 'old@host', localTag: 'a', remoteTag: 'b' },
  referredBy: { uri: 'sip:carol@demo.example', displayName: 'Carol' },
  local: {
    identity: { uri: 'sip:alice@demo.example', displayName: 'Alice <A>' },
    target: {
      uri: 'sip:alice@pc33.demo.example',
      params: [
        ['+sip.rendering', 'no'],
        ['isfocus', 'true'],
      ],
    },
  },
  remote: {
    identity: { uri: 'sip:bob@demo.example' },
    target: { uri: 'sip:bob@192.0.2.1:5060;transport=tcp', params: [] },
  },
};

describe('parseDialogInfo', () => {
  it('reads every field of a dialog (RFC 4235 section 4.1)', () => {
    const document = parseDialogInfo(dialogInfo(RICH), T0);
    expect(document).toEqual({ state: 'full', entity: 'sip:1002@demo.example', dialogs: [RICH_DIALOG] });
  });

  it('reads elements under a prefix, and ignores what it does not know', () => {
    const text = `<d:dialog-info xmlns:d="urn:ietf:params:xml:ns:dialog-info" xmlns:x="urn:x" version="7" state="partial" entity="sip:a@b">
      <x:dialog id="no"/><d:note>n</d:note>
      <d:dialog id="1" x:direction="odd"><x:state>odd</x:state><d:state>early</d:state><x:more/></d:dialog></d:dialog-info>`;
    expect(parseDialogInfo(text, T0)).toEqual({
      state: 'partial',
      entity: 'sip:a@b',
      dialogs: [{ id: '1', state: 'early' }],
    });
  });

  it('reads the parameter value that some publishers call pvalue', () => {
    const target = '<local><target uri="sip:a@b"><param pname="+sip.rendering" pvalue="no"/></target></local>';
    const [dialog] = parseDialogInfo(dialogInfo(dialogElement('1', 'confirmed', target)), T0).dialogs;
    expect(dialog?.local?.target?.params).toEqual([['+sip.rendering', 'no']]);
  });

  it.each([
    ['<dialog-info version="0" state="full" entity="sip:a@b"/>', '400 Not a dialog-info Document'],
    ['<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"/>', '400 Not a dialog-info Document'],
    [dialogInfo('', 'some'), '400 Bad dialog-info State'],
    [dialogInfo('').replace('version="0"', 'version="x"'), '400 Bad dialog-info Version'],
    [dialogInfo('<dialog id="1"/>'), '400 Dialog Without One State'],
    [dialogInfo('<dialog id="1"><state>early</state><state>early</state></dialog>'), '400 Dialog Without One State'],
    [dialogInfo('<dialog id="1"><state>ringing</state></dialog>'), '400 Unknown Dialog State'],
    [dialogInfo('<dialog id="1"><state>toString</state></dialog>'), '400 Unknown Dialog State'],
    [dialogInfo('<dialog><state>early</state></dialog>'), '400 Dialog Without Usable id'],
    [dialogInfo('<dialog id="1" direction="up"><state>early</state></dialog>'), '400 Unknown Dialog Direction'],
    [
      dialogInfo(
        Array.from({ length: DIALOG_INFO_LIMITS.dialogs + 1 }, (_, n) => dialogElement(`${n}`, 'early')).join(''),
      ),
      '413 Too Many Dialogs',
    ],
  ])('refuses %s', (text, answer) => {
    expect(refusal(text)).toBe(answer);
  });
});

const text = fc.string({ unit: 'binary', maxLength: 12 }).map(legal);
const nonEmpty = text.filter((each) => each.trim() !== '');
// What is legal in a URI only here and there, brackets and percents, is left out: the validator holds us to it.
const uri = nonEmpty.filter((each) => !/[[\]%]/.test(each)).map((each) => `sip:${each.trim()}`);
const namedUri = fc.record({ uri, displayName: text }, { requiredKeys: ['uri'] });
const participant = fc.record(
  {
    identity: namedUri,
    target: fc.record({ uri, params: fc.array(fc.tuple(nonEmpty, text), { maxLength: 3 }) }),
  },
  { requiredKeys: ['identity'] },
);
const dialog: fc.Arbitrary<Dialog> = fc.record(
  {
    id: nonEmpty,
    callId: text,
    localTag: text,
    remoteTag: text,
    direction: fc.constantFrom('initiator' as const, 'recipient' as const),
    state: fc.constantFrom('trying', 'proceeding', 'early', 'confirmed', 'terminated'),
    event: fc.constantFrom('cancelled', 'local-bye', 'timeout'),
    code: fc.integer({ min: 100, max: 699 }),
    startedAtMs: fc.integer({ min: 0, max: 100_000 }).map((seconds) => T0 - seconds * 1_000),
    replaces: fc.record({ callId: text, localTag: text, remoteTag: text }),
    referredBy: namedUri,
    local: participant,
    remote: participant,
  },
  { requiredKeys: ['id', 'state'] },
);

function legal(value: string): string {
  return value.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '');
}

describe('renderDialogInfo', () => {
  it('is split around the version, says full and names the presentity', () => {
    const [before, after] = renderDialogInfo('sip:a&b@demo.example', [{ id: '1', state: 'early' }], T0);
    expect(`${before}0${after}`).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:a&amp;b@demo.example">\n' +
        '<dialog id="1"><state>early</state></dialog>\n</dialog-info>\n',
    );
  });

  it('lets a duration grow with the time', () => {
    const [, after] = renderDialogInfo('sip:a@b', [{ id: '1', state: 'confirmed', startedAtMs: T0 - 5_500 }], T0);
    expect(after).toContain('<duration>5</duration>');
  });

  it('drops characters that XML cannot carry', () => {
    const [, after] = renderDialogInfo('sip:a@b', [{ id: '1\u0000\u0008', state: 'early' }], T0);
    expect(after).toContain('<dialog id="1">');
  });

  it('is read back as it was and is valid, hostile characters included', () => {
    const documents: string[] = [];
    fc.assert(
      fc.property(fc.array(dialog, { maxLength: 4 }), uri, (dialogs, entity) => {
        const unique = withUniqueIds(dialogs);
        const rendered = renderDialogInfo(entity, unique, T0).join('3');
        documents.push(rendered);
        expect(parseDialogInfo(rendered, T0)).toEqual({ state: 'full', entity, dialogs: unique });
      }),
      { numRuns: 500 },
    );
    expect(schemaProblems('dialog-info', documents)).toEqual([]);
  });

  it('is valid as a partial document and without dialogs; the schema would tell', () => {
    const whole = (dialogs: readonly Dialog[]) => renderDialogInfo('sip:a@b', dialogs, T0, 'partial').join('0');
    expect(schemaProblems('dialog-info', [whole([]), whole([{ id: '1', state: 'early' }])])).toEqual([]);
    const twice = whole([
      { id: '1', state: 'early' },
      { id: '1', state: 'confirmed' },
    ]);
    expect(schemaProblems('dialog-info', [twice])).not.toEqual([]);
  });
});
