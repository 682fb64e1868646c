/** Which answer to bad input is a defect. Pure. */
import type { ReceivedMessage } from '#test/support/sip-client.ts';

/** 500 is right for a CSeq that is not higher (RFC 3261 sections 10.3 and 12.2.2); everything else that is bad has a 4xx. */
export function isDefect({ status, startLine }: ReceivedMessage): boolean {
  return (
    status >= 500 &&
    status !== 501 &&
    status !== 503 &&
    status !== 505 &&
    status !== 513 &&
    !/ 500 CSeq Out Of Order$/i.test(startLine)
  );
}
