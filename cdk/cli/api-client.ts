/** The HTTP API as commands use it: answers or failures with words, retries, and pages. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failureOf, unreachable } from './api-failure.ts';
import { CliFailure } from './failure.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** `If-Match`, or `If-None-Match` for what must not be there yet. */
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer<T> {
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: T;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string | null | undefined;
}

export interface ApiAccess {
  /** With `/v1`, without a slash at the end. */
  readonly url: string;
  readonly key: string;
}

interface Patience {
  readonly tries: number;
  readonly timeoutMs: number;
}

const TIMEOUT_MS = 30_000;
const MOST_TRIES = 5;
const LONGEST_WAIT_SECONDS = 30;
const PAGE_SIZE = 200;
const MOST_BYTES_SHOWN = 200;
/** A silence may hide that a POST was done, so only what is harmless to repeat is. */
const REPEATABLE: ReadonlySet<Method> = new Set(['GET', 'PUT', 'DELETE']);

/** Writes a path whose inserted parts are percent-encoded. */
export function path(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return parts.map((part, index) => (index === 0 ? part : encodeURIComponent(names[index - 1] ?? '') + part)).join('');
}

/** The address of the API in the form that we keep. @returns undefined when it is none */
export function normalizedUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  const trimmed = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  return trimmed.endsWith('/v1') ? trimmed : `${trimmed}/v1`;
}

export class ApiClient {
  readonly access: ApiAccess;
  readonly #patience: Patience;

  constructor(access: ApiAccess, patience: Partial<Patience> = {}) {
    this.access = access;
    this.#patience = { tries: MOST_TRIES, timeoutMs: TIMEOUT_MS, ...patience };
  }

  /** The same, for who wants to know how it is now. */
  inAHurry(timeoutMs: number): ApiClient {
    return new ApiClient(this.access, { tries: 1, timeoutMs });
  }

  /** @throws {CliFailure} when it is refused, or nobody answers */
  async request<T>(method: Method, where: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const response = await this.#untilAnswered(method, where, options);
    const body = await readBody(response);
    if (!response.ok) throw failureOf(response.status, body);
    return { status: response.status, etag: response.headers.get('etag') ?? undefined, body: body as T };
  }

  async get<T>(where: string, query: RequestOptions['query'] = {}): Promise<T> {
    return (await this.request<T>('GET', where, { query })).body;
  }

  /** Everything in a list, page by page as it is needed. */
  async *items<T>(where: string, query: RequestOptions['query'] = {}): AsyncGenerator<T> {
    let cursor: string | undefined;
    do {
      const page = await this.get<Page<T>>(where, { limit: PAGE_SIZE, ...query, cursor });
      yield* page.items;
      if (page.next === cursor) return; // A server that names the same page again would never end.
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /** The answer as it comes, for what is too long to be held. @throws {CliFailure} */
  async open(where: string, query: RequestOptions['query'] = {}): Promise<Response> {
    const response = await this.#untilAnswered('GET', where, { query });
    if (!response.ok) throw failureOf(response.status, await readBody(response));
    return response;
  }

  async #untilAnswered(method: Method, where: string, options: RequestOptions): Promise<Response> {
    for (let tries = 1; ; tries++) {
      const response = await this.#send(method, where, options).catch((error: unknown) => error);
      const isLast = tries >= this.#patience.tries || options.signal?.aborted === true;
      if (!(response instanceof Response)) {
        if (isLast || tries >= 2 || !REPEATABLE.has(method)) throw unreachable(this.access.url, response);
        await sleep(200);
        continue;
      }
      const mayRepeat = response.status === 429 || (response.status === 503 && REPEATABLE.has(method));
      if (isLast || !mayRepeat) return response;
      await response.body?.cancel();
      await sleep(waitMs(response.headers.get('retry-after'), tries));
    }
  }

  #send(
    method: Method,
    where: string,
    { query, body, ifMatch, ifNoneMatch, signal }: RequestOptions,
  ): Promise<Response> {
    const timeout = AbortSignal.timeout(this.#patience.timeoutMs);
    return fetch(`${this.access.url}${where}${queryText(query)}`, {
      method,
      redirect: 'error',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      headers: {
        authorization: `Bearer ${this.access.key}`,
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(ifMatch !== undefined && { 'if-match': ifMatch }),
        ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }
}

/** How long to wait before the next try: what the server says, within reason, or a little longer each time. */
export function waitMs(retryAfter: string | null, tries: number): number {
  const seconds = /^\d+$/.test(retryAfter ?? '') ? Number(retryAfter) : 2 ** (tries - 1) / 4;
  return Math.min(seconds, LONGEST_WAIT_SECONDS) * 1_000;
}

function queryText(query: RequestOptions['query'] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** JSON when it says so; a text is kept as the detail of a problem, since a proxy may have written it. */
async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') return undefined;
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  try {
    return isJson ? JSON.parse(text) : notOurs(response, text);
  } catch {
    return notOurs(response, text);
  }
}

function notOurs(response: Response, text: string): unknown {
  const detail = `the answer is not from the API: ${text.slice(0, MOST_BYTES_SHOWN).replaceAll(/\s+/g, ' ')}`;
  if (response.ok) throw failureOf(502, { detail });
  return { detail };
}

/** Whether the API refused with this status. */
export const isRefusedWith = (error: unknown, status: number): boolean =>
  error instanceof CliFailure && error.details.status === status;
