/** Answers that need no function: RFC 3261 section 8.2 in its order. PURE. */
import type { EnvelopedResponse } from '#contract/outcome.ts';
import type { HeaderEntries } from '#contract/schemas.ts';
import { ACCEPT_ENCODING } from '#core/content-coding.ts';
import { ALLOW_EVENTS, EVENT_PACKAGES } from '#core/event-package.ts';
import { RESOURCE_LISTS_TYPE } from '#core/resource-list.ts';
import { parseParameterized, splitList } from '#core/sip/header.ts';
import { checkRequest, type SipRequest } from '#core/sip/message.ts';
import { reasonOf } from '#core/sip/status.ts';

/** Methods that SIP has (so 405 is the answer when they do not apply here), apart from those that functions serve. */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'REGISTER',
  'PRACK',
  'SUBSCRIBE',
  'NOTIFY',
  'PUBLISH',
  'INFO',
  'REFER',
  'MESSAGE',
  'UPDATE',
]);
/** Requests that only make sense inside a dialog or transaction: this gateway has none for them. */
const NEEDS_DIALOG: ReadonlySet<string> = new Set(['BYE', 'CANCEL', 'NOTIFY', 'PRACK', 'UPDATE', 'INFO']);

/** Option tags that a Require may name (RFC 3261 section 20.32). */
const SUPPORTED_OPTIONS: readonly string[] = ['outbound', 'eventlist', 'recipient-list-subscribe'];

/** What passes between the parties of a call, where INVITE is served. */
const METHODS_OF_CALLS: readonly string[] = ['ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'INFO', 'REFER', 'NOTIFY'];
const OPTIONS_OF_CALLS: readonly string[] = ['100rel', 'replaces', 'timer'];

export interface Served {
  /** Methods that functions serve. */
  readonly methods: ReadonlySet<string>;
}

export function answer(status: number, headers: HeaderEntries = [], reason = reasonOf(status)): EnvelopedResponse {
  return { status, reason, headers: headers.map(([name, value]): [string, string] => [name, value]) };
}

/** 503 with the time after which another try makes sense (RFC 3261 section 21.5.4). */
export function unavailable(retryAfterSeconds: number, reason = reasonOf(503)): EnvelopedResponse {
  return answer(503, [['Retry-After', String(retryAfterSeconds)]], reason);
}

const allow = ({ methods }: Served): [string, string] => {
  const ofCalls = methods.has('INVITE') ? METHODS_OF_CALLS : [];
  return ['Allow', [...new Set(['OPTIONS', ...methods, ...ofCalls])].join(', ')];
};
const supported = ({ methods }: Served): [string, string] => {
  const ofCalls = methods.has('INVITE') ? OPTIONS_OF_CALLS : [];
  return ['Supported', [...SUPPORTED_OPTIONS, ...ofCalls].join(', ')];
};
const ALLOW_EVENTS_FIELD: [string, string] = ['Allow-Events', ALLOW_EVENTS];
/** What bodies may be (RFC 3261 section 11.2). */
const ACCEPTED: readonly [string, string][] = [
  [
    'Accept',
    [...new Set([...EVENT_PACKAGES.flatMap(({ notifiedTypes }) => notifiedTypes), RESOURCE_LISTS_TYPE])].join(', '),
  ],
  ['Accept-Encoding', ACCEPT_ENCODING],
  ['Accept-Language', 'en'],
];

/**
 * Judges a request as far as this is possible without a function.
 * @returns the answer; `undefined` when a function must decide
 */
export function answerGenerically(request: SipRequest, served: Served): EnvelopedResponse | undefined {
  const problem = checkRequest(request);
  if (problem !== undefined) return answer(problem.status, [], problem.reason);
  const { method } = request;
  if (NEEDS_DIALOG.has(method) && !served.methods.has(method)) return answer(481);
  if (!served.methods.has(method) && method !== 'OPTIONS')
    return answer(KNOWN_METHODS.has(method) ? 405 : 501, [allow(served)]);
  const unsupported = unsupportedOptions(request);
  if (unsupported.length > 0) return answer(420, [['Unsupported', unsupported.join(', ')]]);
  if (Number(request.get('max-forwards') ?? 70) === 0) return answer(483);
  if (method === 'OPTIONS') return answer(200, [allow(served), ALLOW_EVENTS_FIELD, ...ACCEPTED, supported(served)]);
  return undefined;
}

function unsupportedOptions(request: SipRequest): string[] {
  const required = [...request.all('require'), ...request.all('proxy-require')].flatMap(splitList);
  return required.filter((tag) => !SUPPORTED_OPTIONS.includes(parseParameterized(tag).value.toLowerCase()));
}
