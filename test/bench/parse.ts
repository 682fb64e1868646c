/** CPU microseconds that parsing one message costs: ours with all that the request path reads, sip.js, JsSIP. */
import { createRequire } from 'node:module';
import { branchOf, parseCSeq, tagOf } from '#core/sip/header.ts';
import { checkRequest, parseMessage } from '#core/sip/message.ts';
import { REQUESTS, RESPONSE } from '#test/bench/messages.ts';

const GOAL_MICROSECONDS = 4;
const READ_FIELDS = [
  ...['call-id', 'max-forwards', 'contact', 'event', 'expires', 'require'],
  ...['authorization', 'content-type', 'content-length'],
];
const MESSAGES = { ...REQUESTS, '200 OK': RESPONSE };

type Parse = (text: string) => unknown;

/** Everything that the request path reads, and the check of what every request must have. */
function readAsGateway(text: string): unknown {
  const message = parseMessage(text);
  if (message.kind === 'refused' || message.kind === 'unreadable') throw new Error(message.reason);
  const branch = branchOf(message.get('via') ?? '');
  if (message.kind === 'response') return [branch, message.status, message.get('cseq')];
  let length = 0;
  for (const name of READ_FIELDS) length += message.get(name)?.length ?? 0;
  const from = tagOf(message.get('from') ?? '');
  const to = tagOf(message.get('to') ?? '');
  const cseq = parseCSeq(message.get('cseq') ?? '');
  const refusal = checkRequest(message);
  if (refusal !== undefined) throw new Error(refusal.reason);
  return [branch, from, to, cseq, length, message.body];
}

async function loadSipJs(): Promise<Parse> {
  const { Parser } = await import(import.meta.resolve('sip.js').replace(/index\.js$/, 'core/messages/parser.js'));
  const silent = { warn: () => {}, error: () => {}, debug: () => {}, log: () => {} };
  return (text) => Parser.parseMessage(text, silent);
}

function loadJsSip(): Parse {
  const { parseMessage: parse } = createRequire(import.meta.url)('jssip/lib/Parser.js');
  return (text) => parse(text, {});
}

const cpuMicroseconds = (): number => {
  const usage = process.cpuUsage();
  return usage.user + usage.system;
};

/** @returns CPU microseconds a call, median of 7 rounds of at least 60 ms after a second of warm-up */
function measure(parse: Parse, text: string): number {
  const warm = cpuMicroseconds() + 1_000_000;
  let count = 0;
  for (; cpuMicroseconds() < warm; count++) parse(text);
  const calls = Math.max(1, Math.ceil(count / 16));
  const rounds = Array.from({ length: 7 }, () => {
    const began = cpuMicroseconds();
    for (let i = 0; i < calls; i++) parse(text);
    return (cpuMicroseconds() - began) / calls;
  });
  return rounds.sort((a, b) => a - b)[3] ?? 0;
}

const parsers: [string, Parse][] = [
  ['lampfield, all fields read and checked', readAsGateway],
  ['lampfield, nothing asked for', parseMessage],
  ['JsSIP', loadJsSip()],
  ['sip.js', await loadSipJs()],
];
const costs = new Map<string, number[]>();
console.log(`CPU us per message, goal ${GOAL_MICROSECONDS}: ${Object.keys(MESSAGES).join(', ')}`);
for (const [name, parse] of parsers) {
  const row = Object.values(MESSAGES).map((text) => {
    if (!parse(text)) throw new Error(`${name} does not parse: ${text}`);
    return measure(parse, text);
  });
  costs.set(name, row);
  const ratios = row.map((cost, i) => `x${(cost / (costs.get(parsers[0]?.[0] ?? '')?.[i] ?? 1)).toFixed(1)}`);
  console.log(`${name.padEnd(42)} ${row.map((c) => c.toFixed(2).padStart(9)).join('')}   ${ratios.join(' ')}`);
}
