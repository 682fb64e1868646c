/** Typical messages of the BLF road, as a softphone, the gateway and a PBX write them. */

const DIALOG_INFO = [
  '<?xml version="1.0"?>',
  '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="12" state="full" entity="sip:1001@acme.example.test">',
  '<dialog id="as7d900as8" call-id="a84b4c76e66710@pbx.example.test" local-tag="1928301774" remote-tag="456887766" direction="recipient">',
  '<state>confirmed</state>',
  '<local><identity>sip:1001@acme.example.test</identity><target uri="sip:1001@acme.example.test"/></local>',
  '<remote><identity display="Caller 17">sip:+15551000017@acme.example.test</identity><target uri="sip:+15551000017@acme.example.test"/></remote>',
  '</dialog>',
  '</dialog-info>',
  '',
].join('\r\n');

const message = (lines: readonly string[], body = ''): string =>
  [...lines, `Content-Length: ${body.length}`, '', body].join('\r\n');

export const REQUESTS = {
  SUBSCRIBE: message([
    'SUBSCRIBE sip:1001@acme.example.test SIP/2.0',
    'Via: SIP/2.0/WSS k3j2h1g0f9.invalid;branch=z9hG4bK77asjd81xk',
    'Max-Forwards: 70',
    'From: "Watcher 7" <sip:1007@acme.example.test>;tag=1928301774',
    'To: <sip:1001@acme.example.test>',
    'Call-ID: a84b4c76e66710kd93jd@k3j2h1g0f9.invalid',
    'CSeq: 314159 SUBSCRIBE',
    'Contact: <sip:1007@k3j2h1g0f9.invalid;transport=ws>',
    'Event: dialog',
    'Accept: application/dialog-info+xml',
    'Expires: 3600',
    'Allow: INVITE,ACK,CANCEL,BYE,NOTIFY,OPTIONS',
    'User-Agent: softphone/1.0',
  ]),
  NOTIFY: message(
    [
      'NOTIFY sip:1007@k3j2h1g0f9.invalid;transport=ws SIP/2.0',
      'Via: SIP/2.0/WSS gw1.example.test;branch=z9hG4bKnashds8a0d',
      'Max-Forwards: 70',
      'From: <sip:1001@acme.example.test>;tag=ffd2a9c81',
      'To: "Watcher 7" <sip:1007@acme.example.test>;tag=1928301774',
      'Call-ID: a84b4c76e66710kd93jd@k3j2h1g0f9.invalid',
      'CSeq: 12 NOTIFY',
      'Contact: <sip:gw1.example.test;transport=ws>',
      'Event: dialog',
      'Subscription-State: active;expires=3512',
      'Content-Type: application/dialog-info+xml',
    ],
    DIALOG_INFO,
  ),
  PUBLISH: message(
    [
      'PUBLISH sip:1001@acme.example.test SIP/2.0',
      'Via: SIP/2.0/WSS pbx9g8f7.invalid;branch=z9hG4bK652hsge',
      'Max-Forwards: 70',
      'From: <sip:pbx@acme.example.test>;tag=1234wxyz',
      'To: <sip:1001@acme.example.test>',
      'Call-ID: 81818181@pbx9g8f7.invalid',
      'CSeq: 4 PUBLISH',
      'Event: dialog',
      'Expires: 3600',
      'SIP-If-Match: dx200xyz',
      'Content-Type: application/dialog-info+xml',
    ],
    DIALOG_INFO,
  ),
} as const;

export const RESPONSE = message([
  'SIP/2.0 200 OK',
  'Via: SIP/2.0/WSS gw1.example.test;branch=z9hG4bKnashds8a0d',
  'From: <sip:1001@acme.example.test>;tag=ffd2a9c81',
  'To: "Watcher 7" <sip:1007@acme.example.test>;tag=1928301774',
  'Call-ID: a84b4c76e66710kd93jd@k3j2h1g0f9.invalid',
  'CSeq: 12 NOTIFY',
]);
