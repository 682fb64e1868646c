/** Milliseconds of the worst that 64 KiB can do to the SIP parser: no call may cost more than 5. */
import { performance } from 'node:perf_hooks';
import { parseContacts, parseCredentials, parseNameAddr, parseVia, splitList, tagOf } from '#core/sip/header.ts';
import { checkRequest, MESSAGE_LIMITS, parseMessage } from '#core/sip/message.ts';
import { parseUri } from '#core/sip/uri.ts';

const BOUND_MILLISECONDS = 5;
const HEAD = 'OPTIONS sip:a@b SIP/2.0\r\n';
const LINE = MESSAGE_LIMITS.headerLineBytes - 16;

const UNITS = [
  'a',
  ' ',
  '\t ',
  ';',
  ';a',
  '; ',
  ';a=b',
  ';a="b',
  '"',
  '\\',
  '"\\',
  '<',
  '>',
  '<>',
  ',',
  ', ',
  '@',
  ':',
];
const MORE_UNITS = [
  'a:',
  '%',
  '%41',
  '%e4',
  '[',
  '\r',
  '\n',
  '\r\n',
  '\r\n ',
  '\n ',
  'x:\r\n',
  'x\r\n',
  '\0',
  'é',
  'a b ',
];
const PREFIXES = ['', 'sip:', 'sip:a@', '<sip:', '"', 'a <sip:a>;', 'SIP/2.0/WS ', 'SIP/2.0/WS a;b="', 'Digest a="'];

const fill = (unit: string, length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

/** What the parser offers for a text of its size: the whole message, or one value of it. */
const VALUE_PARSERS = [parseNameAddr, parseVia, parseUri, parseCredentials, tagOf, splitList, splitContacts];

function splitContacts(value: string): unknown {
  return parseContacts([value]);
}

function readMessage(text: string): void {
  const result = parseMessage(text);
  if (result.kind === 'unreadable') return;
  const message = result.kind === 'refused' ? result.request : result;
  if (message.kind === 'request') checkRequest(message);
  message.entries();
}

/** @returns milliseconds of the best of three calls, so that a pause of the machine does not count */
function timeOf(call: () => unknown): number {
  const rounds = Array.from({ length: 3 }, () => {
    const began = performance.now();
    call();
    return performance.now() - began;
  });
  return Math.min(...rounds);
}

function* messages(): Generator<readonly [string, string]> {
  for (const unit of [...UNITS, ...MORE_UNITS]) {
    yield [`start line of ${JSON.stringify(unit)}`, fill(unit, MESSAGE_LIMITS.messageBytes)];
    yield [`head of ${JSON.stringify(unit)}`, HEAD + fill(unit, MESSAGE_LIMITS.messageBytes - HEAD.length)];
    for (const prefix of PREFIXES) {
      const fields = ['f', 't', 'v', 'm', 'i', 'X'].map((name) => `${name}: ${prefix}${fill(unit, LINE)}`);
      yield [`values of ${JSON.stringify(prefix + unit)}`, `${HEAD}${fields.join('\r\n')}\r\n\r\n`];
    }
  }
}

const costs: { name: string; milliseconds: number }[] = [];
for (const [name, text] of messages()) {
  costs.push({ name, milliseconds: timeOf(() => readMessage(text)) });
  const result = parseMessage(text);
  if (result.kind !== 'request') continue;
  const value = result.get('from') ?? '';
  for (const parse of VALUE_PARSERS) {
    costs.push({ name: `${parse.name} of ${name}`, milliseconds: timeOf(() => parse(value)) });
  }
}
costs.sort((a, b) => b.milliseconds - a.milliseconds);
for (const { name, milliseconds } of costs.slice(0, 8))
  console.log(`${milliseconds.toFixed(2).padStart(8)} ms  ${name}`);
const isBounded = costs.every(({ milliseconds }) => milliseconds <= BOUND_MILLISECONDS);
console.log(`${costs.length} calls on up to 64 KiB, each under ${BOUND_MILLISECONDS} ms: ${isBounded ? 'yes' : 'NO'}`);
process.exitCode = isBounded ? 0 : 1;
