/** The HTTP API with one key: requests, and their answers checked, or refused in words. */
import { type Check, type Page, page, ShapeError } from '#gateway/panel/admin/json.ts';
import { misunderstood, type Refusal, refusalOf, timedOut, unreachable } from '#gateway/panel/admin/refusal.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer<T> {
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: T;
}

const TIMEOUT_MS = 30_000;
export const PAGE_SIZE = 50;

/** Writes a path whose inserted parts are percent-encoded. */
export function path(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return parts.map((part, index) => (index === 0 ? part : encodeURIComponent(names[index - 1] ?? '') + part)).join('');
}

export class Api {
  readonly #url: string;
  readonly #key: string;
  readonly #onRefused: (refusal: Refusal) => void;

  /**
   * @param url with `/v1`
   * @param onRefused told when the key is not, or no longer, good
   */
  constructor(url: string, key: string, onRefused: (refusal: Refusal) => void = () => undefined) {
    this.#url = url.replace(/\/+$/, '');
    this.#key = key;
    this.#onRefused = onRefused;
  }

  /** @throws {Refusal} */
  async get<T>(where: string, check: Check<T>, options: RequestOptions = {}): Promise<Answer<T>> {
    return this.request('GET', where, check, options);
  }

  /** One page of a list. @throws {Refusal} */
  async page<T>(where: string, item: Check<T>, options: RequestOptions = {}): Promise<Page<T>> {
    const query = { limit: PAGE_SIZE, ...options.query };
    return (await this.request('GET', where, page(item), { ...options, query })).body;
  }

  /** @throws {Refusal} */
  async request<T>(method: Method, where: string, check: Check<T>, options: RequestOptions = {}): Promise<Answer<T>> {
    const response = await this.#send(method, where, options);
    const body = await readBody(response);
    if (!response.ok) {
      const refusal = refusalOf(response.status, body, response.headers.get('retry-after'));
      if (refusal.status === 401) this.#onRefused(refusal);
      throw refusal;
    }
    const etag = response.headers.get('etag') ?? undefined;
    return { status: response.status, etag, body: checked(check, body, where) };
  }

  async #send(method: Method, where: string, options: RequestOptions): Promise<Response> {
    const { query, body, ifMatch, ifNoneMatch, signal } = options;
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      return await fetch(`${this.#url}${where}${queryText(query)}`, {
        method,
        // The key goes to this one place, and nothing else of the browser's goes along.
        ...{ redirect: 'error', credentials: 'omit', cache: 'no-store', referrerPolicy: 'no-referrer' },
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
        headers: {
          authorization: `Bearer ${this.#key}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(ifMatch !== undefined && { 'if-match': ifMatch }),
          ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch {
      signal?.throwIfAborted();
      const { host } = new URL(this.#url);
      throw timeout.aborted ? timedOut(host) : unreachable(host);
    }
  }
}

function checked<T>(check: Check<T>, body: unknown, where: string): T {
  try {
    return check(body, where);
  } catch (error) {
    if (error instanceof ShapeError) throw misunderstood(error.message);
    throw error;
  }
}

function queryText(query: RequestOptions['query'] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** JSON when it is some, else the text: a proxy may have written it. */
async function readBody(response: Response): Promise<unknown> {
  const body = await response.text();
  if (body === '') return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
