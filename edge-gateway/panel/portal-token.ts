/** Sign-in by a token that a portal hands over: in the fragment of the page's address, and anew whenever it is about to end. */

export interface PortalSignIn {
  readonly user: string;
  readonly domain: string;
  readonly token: string;
}

/** What the panel asks its portal for, and what it is answered. The question holds no secret; the server judges the answer. */
const QUESTION = 'lampfield.tokenWanted';
const ANSWER = 'lampfield.token';
const ANSWER_WITHIN_MS = 10_000;
/** A new token is asked for so long before the old one ends. */
const RENEW_BEFORE_MS = 60_000;

/** `#access_token=…&user=…&domain=…`; `undefined` when it is not all there. A fragment never reaches a server. */
export function readFragment(fragment: string): PortalSignIn | undefined {
  const params = new URLSearchParams(fragment.replace(/^#/, ''));
  const [token, user, domain] = ['access_token', 'user', 'domain'].map((name) => params.get(name) ?? '');
  if (!token || !user || !domain) return undefined;
  return { token, user, domain: domain.toLowerCase() };
}

/** When a token ends, by its own words; `undefined` when it does not say. */
export function endOfToken(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')));
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' ? exp * 1_000 : undefined;
  } catch {
    return undefined;
  }
}

/** The token of this page, kept in memory alone. */
export class PortalToken {
  #token: string;
  readonly #ask: () => Promise<string | undefined>;

  constructor(token: string, ask: () => Promise<string | undefined>) {
    this.#token = token;
    this.#ask = ask;
  }

  /** Milliseconds until a new one is to be asked for. */
  renewInMs(nowMs: number): number {
    const endMs = endOfToken(this.#token);
    return endMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, endMs - nowMs - RENEW_BEFORE_MS);
  }

  /** The token to send; a portal that does not answer leaves the old one. */
  async current(nowMs: number): Promise<string> {
    return this.renewInMs(nowMs) > 0 ? this.#token : this.renewed();
  }

  async renewed(): Promise<string> {
    this.#token = (await this.#ask()) ?? this.#token;
    return this.#token;
  }
}

/** Asks the window that opened or embeds the page. @returns undefined when there is none, or it does not answer */
export function askPortal(user: string, domain: string): Promise<string | undefined> {
  const portal: Window | undefined = window.opener ?? (window.parent === window ? undefined : window.parent);
  if (portal === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const settle = (token: string | undefined): void => {
      clearTimeout(timer);
      removeEventListener('message', take);
      resolve(token);
    };
    const take = ({ source, data }: MessageEvent<unknown>): void => {
      const isAnswer = source === portal && typeof data === 'object' && data !== null && 'accessToken' in data;
      if (isAnswer && 'type' in data && data.type === ANSWER && typeof data.accessToken === 'string')
        settle(data.accessToken);
    };
    const timer = setTimeout(() => settle(undefined), ANSWER_WITHIN_MS);
    addEventListener('message', take);
    portal.postMessage({ type: QUESTION, user, domain }, '*');
  });
}
