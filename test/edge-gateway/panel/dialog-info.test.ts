import { expect, test } from 'vitest';
import { readDialogInfo } from '#gateway/panel/dialog-info.ts';
import { rootElement } from './xml-element.ts';

const read = (xml: string) => readDialogInfo(rootElement(xml));
const document = (dialogs: string, attributes = 'version="0" state="full"') =>
  `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" ${attributes} entity="sip:1001@demo.example">${dialogs}</dialog-info>`;

test('reads a dialog with both parties (RFC 4235 section 4.1)', () => {
  const info = read(
    document(
      `<dialog id="d1" call-id="c1" local-tag="a" remote-tag="b" direction="recipient">
         <state>confirmed</state><duration>12</duration>
         <local><identity display="Ben &amp; Co">sip:1001@demo.example</identity><target uri="sip:1001@192.0.2.1"/></local>
         <remote><identity display="Chiara Rossi">sip:1003@demo.example</identity></remote>
       </dialog>`,
      'version="7" state="full"',
    ),
  );
  expect(info).toEqual({
    version: 7,
    full: true,
    dialogs: [
      {
        id: 'd1',
        callId: 'c1',
        localTag: 'a',
        remoteTag: 'b',
        state: 'confirmed',
        direction: 'recipient',
        held: false,
        durationSeconds: 12,
        local: { displayName: 'Ben & Co', uri: 'sip:1001@demo.example' },
        remote: { displayName: 'Chiara Rossi', uri: 'sip:1003@demo.example' },
      },
    ],
  });
});

test('a target that is not rendered is a call on hold', () => {
  const held = (attribute: string) =>
    read(
      document(
        `<dialog id="d"><state>confirmed</state><local><target uri="sip:x@y"><param pname="+sip.rendering" ${attribute}/></target></local></dialog>`,
      ),
    )?.dialogs[0]?.held;
  expect(held('pval="no"')).toBe(true);
  expect(held('pval="yes"')).toBe(false);
  expect(held('pvalue="no"')).toBe(true);
});

test('only the local rendering means hold', () => {
  const info = read(
    document(
      '<dialog id="d"><state>confirmed</state><remote><target uri="sip:x@y"><param pname="+sip.rendering" pval="no"/></target></remote></dialog>',
    ),
  );
  expect(info?.dialogs[0]?.held).toBe(false);
});

test('a remote target stands in for a missing identity', () => {
  const info = read(
    document(
      '<dialog id="d"><state>early</state><remote><target uri="sip:+12025550143@gw.example"/></remote></dialog>',
    ),
  );
  expect(info?.dialogs[0]?.remote).toEqual({ displayName: '', uri: 'sip:+12025550143@gw.example' });
});

test('prefixed elements are the same elements', () => {
  const info = read(
    '<d:dialog-info xmlns:d="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:a@b"><d:dialog id="1"><d:state>early</d:state></d:dialog></d:dialog-info>',
  );
  expect(info?.dialogs.map(({ state }) => state)).toEqual(['early']);
});

test('a partial document says so', () => {
  expect(read(document('', 'version="3" state="partial"'))?.full).toBe(false);
});

test('a dialog in a state that RFC 4235 does not know is left out', () => {
  expect(read(document('<dialog id="d"><state>dancing</state></dialog>'))?.dialogs).toEqual([]);
});

test.each([
  ['another root', '<presence version="0"/>'],
  ['no version', '<dialog-info state="full"/>'],
  ['a version that is no number', '<dialog-info version="-1" state="full"/>'],
])('%s is not a dialog-info document', (_what, xml) => {
  expect(read(xml)).toBeUndefined();
});
