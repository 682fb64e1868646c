/** What the fuzzers begin with: requests as clients send them, answers, and the torture messages of RFC 4475. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Chance } from '#test/support/chance.ts';

const VECTORS = path.resolve(import.meta.dirname, '../vectors/rfc4475');
const TORTURE: readonly string[] = ['valid', 'invalid'].flatMap((folder) =>
  readdirSync(path.join(VECTORS, folder)).map((name) => readFileSync(path.join(VECTORS, folder, name), 'latin1')),
);

const USERS = ['1001', '1002', '1003', '1004', 'blf-all'];

const dialogInfo = (uri: string): string => `<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="3" state="partial" entity="${uri}">
<dialog id="a" call-id="c1" local-tag="l" remote-tag="r" direction="initiator"><state event="remote-bye" code="200">early</state>
<duration>145</duration><replaces call-id="x" local-tag="y" remote-tag="z"/><referred-by display="B">sip:b@demo.example</referred-by>
<local><identity display="A &amp; B">${uri}</identity><target uri="${uri};x=y"><param pname="+sip.rendering" pval="no"/></target></local>
<remote><identity>sip:+1555@pstn.example</identity><target uri="sip:1@2"/><session-description type="application/sdp">v=0</session-description></remote></dialog>
<dialog id="b"><state>confirmed</state></dialog><dialog id="c" direction="recipient"><state>terminated</state></dialog></dialog-info>`;

const pidf = (uri: string): string => `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="pres:${uri.slice(4)}">
<tuple id="t1"><status><basic>open</basic><x xmlns="urn:x">y</x></status><contact priority="0.8">${uri}</contact><note xml:lang="en">here</note><timestamp>2026-11-21T10:00:00Z</timestamp></tuple>
<tuple id="t2"><status><basic>closed</basic></status></tuple><note>all</note>
<dm:person id="p1"><r:activities><r:on-the-phone/><r:other>thinking</r:other></r:activities><r:mood><r:happy/></r:mood><dm:note>n</dm:note></dm:person></presence>`;

const resourceLists = `<?xml version="1.0" encoding="UTF-8"?>
<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="a"><entry uri="sip:1001@demo.example"><display-name>One</display-name></entry>
<entry uri="sip:1002@demo.example"/><list name="b"><entry uri="sip:none@demo.example"/><entry uri="sip:x@elsewhere.example"/></list><external anchor="http://a/b"/><entry-ref ref="c"/></list></resource-lists>`;

const summary =
  'Messages-Waiting: yes\r\nMessage-Account: sip:1001@demo.example\r\nVoice-Message: 2/8 (1/2)\r\nFax-Message: 0/1\r\n\r\nTo: <a@b>\r\n';

interface Kind {
  readonly method: string;
  readonly fields: readonly string[];
  readonly body?: (uri: string) => string;
}

const CONTACT =
  'Contact: "C" <sip:c1@c.invalid;transport=ws>;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";reg-id=1;expires=30;q=0.5';
const subscribe = (event: string, ...more: string[]): Kind => ({
  method: 'SUBSCRIBE',
  fields: [`Event: ${event}`, 'Expires: 20', 'Contact: <sip:c1@c.invalid;transport=ws>', ...more],
});
const publish = (event: string, type: string, body: (uri: string) => string): Kind => ({
  method: 'PUBLISH',
  fields: [`Event: ${event}`, 'Expires: 20', `Content-Type: ${type}`],
  body,
});
const KINDS: readonly Kind[] = [
  subscribe(
    'dialog',
    'Accept: application/dialog-info+xml;q=0.9, */*;q=0.1',
    'User-Agent: Phone/1.0',
    'Supported: eventlist',
  ),
  subscribe(
    'dialog;id=7;max-rate=2;min-rate=0.1;adaptive-min-rate=1',
    'Suppress-If-Match: "abc"',
    'Accept: application/rlmi+xml, multipart/related, application/dialog-info+xml',
  ),
  subscribe(
    'presence',
    'Accept: application/pidf+xml, application/xpidf+xml',
    'Record-Route: <sip:p.example;lr>, <sip:q.example;lr>',
  ),
  ...['message-summary', 'reg', 'dialog.winfo', 'presence.winfo'].map((event) => subscribe(event)),
  {
    ...subscribe(
      'dialog',
      'Require: recipient-list-subscribe',
      'Supported: eventlist',
      'Content-Type: application/resource-lists+xml',
      'Content-Disposition: recipient-list',
    ),
    body: () => resourceLists,
  },
  publish('dialog', 'application/dialog-info+xml', dialogInfo),
  publish('presence', 'application/pidf+xml', pidf),
  publish('message-summary', 'application/simple-message-summary', () => summary),
  { method: 'PUBLISH', fields: ['Event: dialog', 'Expires: 10', 'SIP-If-Match: abcdef.1'] },
  { method: 'REGISTER', fields: [CONTACT, 'Supported: path, outbound, gruu', 'Path: <sip:p.example;lr>'] },
  { method: 'REGISTER', fields: ['Contact: *', 'Expires: 0'] },
  {
    method: 'MESSAGE',
    fields: ['Content-Type: text/plain', 'Date: Sat, 21 Nov 2026 10:00:00 GMT'],
    body: () => 'hello',
  },
  { method: 'OPTIONS', fields: ['Accept: application/sdp', 'Require: eventlist', 'Proxy-Require: x'] },
  { method: 'INVITE', fields: ['Contact: <sip:a@b>', 'Content-Type: application/sdp'], body: () => 'v=0\r\n' },
  {
    method: 'REGISTER',
    fields: [
      CONTACT,
      'Authorization: Digest username="1001", realm="demo.example", nonce="abc", uri="sip:demo.example", response="00", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="c"',
    ],
  },
];

export interface Speaker {
  /** AOR. */
  readonly aor: string;
  readonly domain: string;
  /** To tags of subscriptions that it may refresh. */
  readonly dialogs: readonly {
    readonly callId: string;
    readonly fromTag: string;
    readonly toTag: string;
    readonly uri: string;
  }[];
}

/** One message as it ought to be; every request has a Call-ID of its own, unless it is of a dialog. */
export function soundMessage({ aor, domain, dialogs }: Speaker, chance: Chance): string {
  if (chance.happens(12)) return chance.oneOf(TORTURE);
  const kind = chance.oneOf(KINDS);
  const id = `${chance.pick(2 ** 31)}${chance.pick(2 ** 31)}`;
  const uri = kind.method === 'REGISTER' ? `sip:${domain}` : `sip:${chance.oneOf(USERS)}@${domain}`;
  const dialog =
    kind.method === 'SUBSCRIBE' && dialogs.length > 0 && chance.happens(25) ? chance.oneOf(dialogs) : undefined;
  const body = Buffer.from(kind.body?.(uri) ?? '').toString('latin1');
  return [
    `${kind.method} ${dialog?.uri ?? uri} SIP/2.0`,
    `Via: SIP/2.0/WS c.invalid;branch=z9hG4bK${id};rport`,
    ...['Max-Forwards: 70', `From: "F" <${aor}>;tag=${dialog?.fromTag ?? 'f'}`],
    `To: <${kind.method === 'REGISTER' ? aor : (dialog?.uri ?? uri)}>${dialog === undefined ? '' : `;tag=${dialog.toTag}`}`,
    ...[`Call-ID: ${dialog?.callId ?? id}`, `CSeq: ${2 + chance.pick(1_000)} ${kind.method}`, ...kind.fields],
    ...[`Content-Length: ${body.length}`, '', body],
  ].join('\r\n');
}
