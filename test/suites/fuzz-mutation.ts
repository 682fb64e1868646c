/** Spoils SIP messages and their bodies, by chance. Pure. Texts stand for bytes: a character each (latin1). */
import type { Chance } from '#test/support/chance.ts';

/** Values that have broken parsers, ours or others'. */
const TROUBLE: readonly string[] = [
  ...[
    '',
    ' ',
    '\t',
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\r\n ',
    '\0',
    '\x7f',
    '\xff',
    '\xc3\x28',
    '\xed\xa0\x80',
    '\xf0\x9f\x98\x80',
  ],
  ...[
    '"',
    '""',
    "'",
    '\\',
    '\\"',
    '<',
    '>',
    '<>',
    '<<',
    '&',
    '&amp;',
    '&#0;',
    '&#x110000;',
    '&#xD800;',
    '%',
    '%00',
    '%zz',
    '%ff',
  ],
  ...[';', ';;', ',', ',,', '=', ':', '@', '@@', '?', '#', '/', '*', '[', ']', '[::1]', '(', ')', '{', '}', '`', '|'],
  ...[
    '0',
    '-1',
    '1',
    '00',
    '+1',
    '1.5',
    '1e999',
    'NaN',
    '255',
    '256',
    '2147483647',
    '2147483648',
    '4294967296',
    '9007199254740993',
    '18446744073709551616',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'null',
    'undefined',
    'true',
    '$ne',
    '#pub',
    ':now',
    'P#',
    'STATE',
  ],
  ...[
    'z9hG4bK',
    ';tag=',
    ';tag=a',
    'sip:',
    'sips:a@b',
    'tel:1',
    'sip:@',
    'sip:a@b?x=y',
    'SIP/2.0',
    'SIP/3.0',
    'INVITE',
    'ACK',
  ],
  ...[
    '<?xml version="1.0"?>',
    '<!DOCTYPE a [<!ENTITY b "c">]>',
    '&b;',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<a>',
    '</a>',
    '<a/>',
    '<?a b?>',
    'xmlns=""',
    'xmlns:a="urn:b"',
  ],
  ...[
    'multipart/mixed;boundary=a',
    '--a',
    '--a--',
    'application/dialog-info+xml',
    'base64',
    'gzip',
    '*/*',
    'dialog;id=',
    'presence',
    'dialog.winfo',
  ],
];
const HUGE = [300, 4_000, 9_000, 70_000];
const NUMBER = /\d+/g;
/** Mostly one step: what is spoilt in many places is refused for the first of them. */
const MANY_STEPS_PERCENT = 25;
const MANY_STEPS = 4;

type Mutator = (text: string, chance: Chance, other: string) => string;

const cut = (text: string, from: number, to: number, between = ''): string =>
  text.slice(0, from) + between + text.slice(to);

function span(text: string, chance: Chance): [from: number, to: number] {
  const from = chance.pick(text.length + 1);
  return [from, Math.min(text.length, from + 1 + chance.pick(chance.happens(80) ? 12 : 400))];
}

const MUTATORS: readonly Mutator[] = [
  (text, chance) => cut(text, ...span(text, chance)),
  (text, chance) => {
    const [from, to] = span(text, chance);
    return cut(text, to, to, text.slice(from, to).repeat(1 + chance.pick(3)));
  },
  (text, chance) => cut(text, ...span(text, chance), chance.oneOf(TROUBLE)),
  (text, chance) => {
    const at = chance.pick(text.length + 1);
    return cut(text, at, at, chance.oneOf(TROUBLE));
  },
  (text, chance) => {
    const at = chance.pick(text.length + 1);
    return cut(text, at, at + 1, String.fromCharCode(chance.pick(256)));
  },
  (text, chance, other) => cut(text, ...span(text, chance), other.slice(...span(other, chance))),
  (text, chance) => {
    const numbers = [...text.matchAll(NUMBER)];
    if (numbers.length === 0) return text;
    const { index, 0: digits } = chance.oneOf(numbers);
    return cut(text, index, index + digits.length, chance.oneOf(TROUBLE));
  },
  (text, chance) => {
    const at = chance.pick(text.length + 1);
    return cut(text, at, at, chance.oneOf(TROUBLE).repeat(chance.oneOf(HUGE)).slice(0, 80_000));
  },
];
/** The last one makes messages that are far too long: now and then is enough. */
const LONG_PERCENT = 2;

function spoil(text: string, chance: Chance, other: string): string {
  let spoilt = text;
  for (let steps = chance.happens(MANY_STEPS_PERCENT) ? 1 + chance.pick(MANY_STEPS) : 1; steps > 0; steps--) {
    const mutator = chance.happens(LONG_PERCENT) ? MUTATORS.at(-1) : MUTATORS[chance.pick(MUTATORS.length - 1)];
    spoilt = mutator?.(spoilt, chance, other) ?? spoilt;
  }
  return spoilt;
}

/** Spoils a part of a message: a header line, the body, or anything; the rest stays, so that the part is looked at. */
export function spoilMessage(message: string, chance: Chance, other: string): string {
  const end = message.indexOf('\r\n\r\n');
  if (end < 0 || chance.happens(12)) return spoil(message, chance, other);
  const [head, body] = [message.slice(0, end), message.slice(end + 4)];
  const isBody = body !== '' && chance.happens(60);
  const lines = head.split('\r\n');
  const spoiltHead = isBody ? lines : spoilLine(lines, chance, other);
  const spoiltBody = isBody ? spoil(body, chance, other) : body;
  const counted = chance.happens(5) ? spoiltHead : spoiltHead.map((line) => recount(line, spoiltBody));
  return `${counted.join('\r\n')}\r\n\r\n${spoiltBody}`;
}

const recount = (line: string, body: string): string =>
  /^content-length\s*:/i.test(line) ? `Content-Length: ${body.length}` : line;

function spoilLine(lines: readonly string[], chance: Chance, other: string): string[] {
  const at = chance.pick(lines.length);
  const line = lines[at] ?? '';
  const others = other.split('\r\n');
  switch (chance.pick(10)) {
    case 0:
      return lines.toSpliced(at, 1);
    case 1:
      return lines.toSpliced(at, 0, line);
    case 2:
      return lines.toSpliced(at, 0, chance.oneOf(others));
    case 3:
      return lines.toSpliced(at, 1, chance.oneOf(others));
    default:
      return lines.toSpliced(at, 1, spoil(line, chance, other));
  }
}
