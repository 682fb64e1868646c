/** What the other side's messages mean for a call, read from their text. Pure. */

/** The status in a NOTIFY's body about a transfer (RFC 3515: message/sipfrag); 0 when it has none. */
export function sipfragStatus(body: string): number {
  return Number(/^SIP\/2\.0 ([1-6]\d\d)\b/.exec(body.trimStart())?.[1] ?? 0);
}

const DIRECTION = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m;
/** Offers of browsers name no address before ICE has found a path; offers of old phones name none to hold a call. */
const HAS_ICE = /^a=ice-ufrag:/m;
const NO_ADDRESS = /^c=IN IP4 0\.0\.0\.0\s*$/m;

/** An offer that stops our audio: `sendonly` or `inactive` (RFC 3264), or no address at all (RFC 2543). */
export function offersHold(sdp: string): boolean {
  const [session = '', ...media] = sdp.split(/^(?=m=)/m);
  const audio = media.find((part) => part.startsWith('m=audio')) ?? '';
  const direction = (DIRECTION.exec(audio) ?? DIRECTION.exec(session))?.[1];
  if (direction === 'sendonly' || direction === 'inactive') return true;
  return !HAS_ICE.test(sdp) && NO_ADDRESS.test(/^c=/m.test(audio) ? audio : session);
}

/** A CANCEL because another device, or whoever picked up, has taken the call (RFC 3326). */
export function isAnsweredElsewhere(reasons: readonly string[]): boolean {
  return reasons.some((reason) => /^\s*SIP\s*;.*\bcause\s*=\s*(200|600|603)\b/i.test(reason));
}
