/** One REGISTER binding of this page (RFC 3261 section 10, RFC 5626), which also proves who the flow belongs to. */
import { type Core, UserAgent } from 'sip.js';
import type { PortalToken } from '#gateway/panel/portal-token.ts';
import { type Problem, serverProblem, signInProblem, tokenProblem } from '#gateway/panel/problem.ts';

const EXPIRES_SECONDS = 600;
const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, MESSAGE, REFER, INFO';

export interface Registration {
  /** Registers or refreshes; `undefined` is success. */
  register(): Promise<Problem | undefined>;
  /** Removes the binding; does not wait for the answer longer than a moment. */
  unregister(): Promise<void>;
}

/**
 * All REGISTERs of the page share a Call-ID and count up, so that a late one cannot undo a newer.
 * @param token goes into REGISTER (RFC 8898): unlike a refused handshake, its answer says to a page what is wrong
 */
export function registrationOf(agent: UserAgent, token?: PortalToken): Registration {
  const { uri } = agent.configuration;
  const identity = { callId: crypto.randomUUID(), fromTag: crypto.randomUUID().slice(0, 8) };
  const registrar = UserAgent.makeURI(`sip:${uri.host}`);
  let sequence = 0;

  // There is no password to answer a challenge with.
  if (token !== undefined) agent.userAgentCore.configuration.authenticationFactory = () => undefined;

  const send = (expiresSeconds: number, bearer?: string): Promise<{ status: number; reason: string }> =>
    new Promise((resolve) => {
      const contact = `${agent.contact.toString({ register: true })};reg-id=1;+sip.instance="<urn:uuid:${agent.instanceId}>"`;
      const message = agent.userAgentCore.makeOutgoingRequestMessage(
        'REGISTER',
        registrar ?? uri,
        uri,
        uri,
        { ...identity, cseq: sequence + 1 },
        [
          ...[`Contact: ${contact};expires=${expiresSeconds}`, `Allow: ${ALLOW}`],
          ...(bearer === undefined ? [] : [`Authorization: Bearer ${bearer}`]),
        ],
      );
      const settle = ({ message: { statusCode = 0, reasonPhrase = '' } }: Core.IncomingResponse) =>
        resolve({ status: statusCode, reason: reasonPhrase });
      agent.userAgentCore.register(message, { onAccept: settle, onRedirect: settle, onReject: settle });
      // Each challenge makes the agent send the request again with the next number: leave it room.
      sequence += 5;
    });

  return {
    async register() {
      let { status, reason } = await send(EXPIRES_SECONDS, await token?.current(Date.now()));
      if (status === 401 && token !== undefined)
        ({ status, reason } = await send(EXPIRES_SECONDS, await token.renewed()));
      if (status >= 200 && status < 300) return undefined;
      if (status === 401 && token !== undefined) return tokenProblem();
      return status < 500 && status !== 408
        ? signInProblem(status, reason, `${uri.user}@${uri.host}`)
        : serverProblem(status, reason);
    },
    async unregister() {
      await Promise.race([send(0), new Promise((resolve) => setTimeout(resolve, 1_000))]);
    },
  };
}

/** Seconds after which to refresh: well before the end, even when a background tab's timers are slowed. */
export const REFRESH_SECONDS = EXPIRES_SECONDS / 2;
