/**
 * One user's way through a deployment over a real connection: register, subscribe to itself, publish, and see the lamp
 * change. For who examines a deployment (`lampfield doctor`) and who watches over it (the canary).
 */
import { tagOf } from '#core/sip/header.ts';
import type { SipRequest, SipResponse } from '#core/sip/message.ts';
import { type Account, SipProbe, type TimedAnswer, token } from './sip-probe.ts';

const DIALOG_INFO = 'application/dialog-info+xml';
/** What is left behind when the way is cut short ends after this time. */
const EXPIRES_SECONDS = 300;

/** A request was answered, and not with 2xx. */
export class ProbeRefused extends Error {
  override readonly name = 'ProbeRefused';
  readonly status: number;

  constructor(response: SipResponse) {
    super(statusText(response));
    this.status = response.status;
  }
}

export function statusText(response: SipResponse): string {
  const why = response.get('warning') ?? response.get('retry-after');
  return `${response.status} ${response.reason}${why === undefined ? '' : ` (${why})`}`;
}

export class LampProbe {
  readonly #probe: SipProbe;
  readonly #account: Account;
  readonly #publication = { etag: '', callId: `probe-${token()}`, atMs: 0 };
  readonly #dialog = { callId: token(), fromTag: token(), toTag: undefined as string | undefined };

  private constructor(probe: SipProbe, account: Account) {
    this.#probe = probe;
    this.#account = account;
  }

  /** @param userAgent who goes the way */
  static async connect(gateway: string, account: Account, userAgent: string): Promise<LampProbe> {
    return new LampProbe(await SipProbe.connect(gateway, account, userAgent), account);
  }

  /** Each step: @throws {ProbeRefused} when the answer is no 2xx */
  async options(): Promise<TimedAnswer> {
    return required(await this.#probe.request({ method: 'OPTIONS', uri: `sip:${this.#account.domain}` }));
  }

  async register(): Promise<TimedAnswer> {
    return required(await this.#probe.request(this.#registration(EXPIRES_SECONDS)));
  }

  async subscribe(): Promise<TimedAnswer> {
    const answer = await this.#probe.request(this.#subscription(1, EXPIRES_SECONDS));
    this.#dialog.toTag = tagOf(answer.response.get('to') ?? '');
    return required(answer);
  }

  /** @returns bytes of its body */
  async firstNotify(): Promise<number> {
    return (await this.#probe.received(isNotify)).request.body.length;
  }

  /** Its Call-ID is the one by which the change is found in the logs. */
  async publish(): Promise<TimedAnswer> {
    const publication = this.#publication;
    publication.atMs = performance.now();
    const answer = await this.#probe.request(this.#publish(EXPIRES_SECONDS, this.#busy()));
    publication.etag = answer.response.get('sip-etag') ?? '';
    return required(answer);
  }

  /** @returns milliseconds from the PUBLISH to the NOTIFY of the change */
  async lampChange(): Promise<number> {
    const { callId, atMs } = this.#publication;
    const isOurs = (request: SipRequest): boolean => isNotify(request) && request.body.includes(callId);
    return (await this.#probe.received(isOurs)).atMs - atMs;
  }

  /** Unpublishes, unsubscribes, unregisters, as far as it has come. */
  async tidyUp(): Promise<void> {
    const { etag } = this.#publication;
    const probe = this.#probe;
    if (etag !== '') required(await probe.request(this.#publish(0, { headers: [['SIP-If-Match', etag]], body: '' })));
    if (this.#dialog.toTag !== undefined) required(await probe.request(this.#subscription(10, 0)));
    required(await probe.request(this.#registration(0)));
  }

  close(): void {
    this.#probe.close();
  }

  #registration(expires: number) {
    const headers: [string, string][] = [
      ['Contact', this.#probe.contact],
      ['Expires', String(expires)],
    ];
    return { method: 'REGISTER', uri: `sip:${this.#account.domain}`, headers };
  }

  #subscription(cseq: number, expires: number) {
    const headers: [string, string][] = [
      ['Contact', this.#probe.contact],
      ['Event', 'dialog'],
      ['Accept', DIALOG_INFO],
      ['Expires', String(expires)],
    ];
    return { method: 'SUBSCRIBE', uri: this.#probe.aor, ...this.#dialog, cseq, headers };
  }

  #publish(expires: number, { headers, body }: { headers: [string, string][]; body: string }) {
    const common: [string, string][] = [
      ['Event', 'dialog'],
      ['Expires', String(expires)],
    ];
    const { callId } = this.#publication;
    return { method: 'PUBLISH', uri: this.#probe.aor, callId, body, headers: [...common, ...headers] };
  }

  /** A dialog that stands, as a telephone would publish it (RFC 4235). */
  #busy(): { headers: [string, string][]; body: string } {
    const { callId } = this.#publication;
    const dialog = `<dialog id="probe" call-id="${callId}" local-tag="a" remote-tag="b" direction="initiator"><state>confirmed</state></dialog>`;
    const body = `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="${this.#probe.aor}">${dialog}</dialog-info>`;
    return { headers: [['Content-Type', DIALOG_INFO]], body };
  }
}

function required(answer: TimedAnswer): TimedAnswer {
  if (answer.response.status >= 300) throw new ProbeRefused(answer.response);
  return answer;
}

const isNotify = ({ method }: SipRequest): boolean => method === 'NOTIFY';
