/** A PBX for tests: real PUBLISHes of one presentity's dialogs, one after the other. */
import { type Core, UserAgent } from 'sip.js';

export interface Pbx {
  /** Replaces what is published for an extension; resolves with the status of the answer. */
  publish(extension: string, dialogs: string, expiresSeconds?: number): Promise<number>;
  close(): Promise<void>;
}

export interface DialogFacts {
  readonly id?: string;
  readonly state: string;
  readonly direction?: 'initiator' | 'recipient';
  readonly remote?: string;
  readonly remoteName?: string;
  readonly localName?: string;
  readonly held?: boolean;
}

/** A `dialog` element with all that a PBX tells (RFC 4235 section 4.1). */
export function dialogXml(extension: string, facts: DialogFacts): string {
  const {
    id = 'call-1',
    state,
    direction = 'recipient',
    remote = '1005',
    remoteName = '',
    localName = '',
    held,
  } = facts;
  const rendering = held ? '<param pname="+sip.rendering" pval="no"/>' : '';
  const uri = (user: string) => `sip:${user}@demo.example`;
  return `<dialog id="${id}" call-id="${id}@pbx" local-tag="l-${id}" remote-tag="r-${id}" direction="${direction}"><state>${state}</state>
    <local><identity display="${localName}">${uri(extension)}</identity><target uri="${uri(extension)}">${rendering}</target></local>
    <remote><identity display="${remoteName}">${uri(remote)}</identity><target uri="${uri(remote)}"/></remote></dialog>`;
}

/** Connects as `pbx` of demo.example. */
export async function openPbx(url: string): Promise<Pbx> {
  const agent = new UserAgent({
    uri: uriOf('pbx'),
    authorizationUsername: 'pbx',
    authorizationPassword: 'demo-pbx',
    gracefulShutdown: false,
    logBuiltinEnabled: false,
    transportOptions: { server: url, traceSip: false },
  });
  await agent.start();
  const etags = new Map<string, string>();
  return {
    publish: (extension, dialogs, expiresSeconds = 300) =>
      new Promise((resolve) => {
        const etag = etags.get(extension);
        const settle = ({ message }: Core.IncomingResponse) => {
          const next = message.getHeader('SIP-ETag');
          if (next !== undefined) etags.set(extension, next);
          resolve(message.statusCode ?? 0);
        };
        const message = agent.userAgentCore.makeOutgoingRequestMessage(
          'PUBLISH',
          uriOf(extension),
          uriOf('pbx'),
          uriOf(extension),
          {},
          ['Event: dialog', `Expires: ${expiresSeconds}`, ...(etag === undefined ? [] : [`SIP-If-Match: ${etag}`])],
          {
            contentDisposition: 'render',
            contentType: 'application/dialog-info+xml',
            content: `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:${extension}@demo.example">${dialogs}</dialog-info>`,
          },
        );
        agent.userAgentCore.publish(message, { onAccept: settle, onReject: settle, onRedirect: settle });
      }),
    close: () => agent.stop(),
  };
}

function uriOf(user: string) {
  const uri = UserAgent.makeURI(`sip:${user}@demo.example`);
  if (uri === undefined) throw new Error(`not a user: ${user}`);
  return uri;
}
