/** application/simple-message-summary (RFC 3842): how many messages wait. Pure. */
import { SipRejection } from './error.ts';
import type { Presentity } from './presentity.ts';

export const MESSAGE_SUMMARY_TYPE = 'application/simple-message-summary';

/** Classes of messages (RFC 3458), as they are written in a document. */
export const MESSAGE_CLASSES = [
  'Voice-Message',
  'Fax-Message',
  'Pager-Message',
  'Multimedia-Message',
  'Text-Message',
  'None',
] as const;
export type MessageClass = (typeof MESSAGE_CLASSES)[number];

export interface MessageCounts {
  readonly newMessages: number;
  readonly oldMessages: number;
  /** Those of the new and old ones that are urgent. */
  readonly urgent?: { readonly newMessages: number; readonly oldMessages: number };
}

export interface MessageSummary {
  readonly isWaiting: boolean;
  /** URI of the mailbox; of the presentity itself when absent. */
  readonly account?: string;
  readonly counts: Readonly<Partial<Record<MessageClass, MessageCounts>>>;
}

const MAX_COUNT = 0xffff_ffff;
const COUNTS = /^(\d{1,10})\s*\/\s*(\d{1,10})(?:\s*\(\s*(\d{1,10})\s*\/\s*(\d{1,10})\s*\))?$/;
const MAX_ACCOUNT_LENGTH = 1_024;

/**
 * Reads a published document. The headers of single messages, which may follow an empty line, are not kept.
 * @throws {SipRejection} 400 with what is wrong
 */
export function parseMessageSummary(text: string): MessageSummary {
  const [summary = ''] = text.split(/\r?\n[ \t]*\r?\n/, 1);
  const [first = '', ...rest] = summary.split(/\r?\n/).filter((line) => line.trim() !== '');
  const [name, value] = fieldOf(first);
  if (name !== 'messages-waiting') throw bad('Missing Messages-Waiting');
  const status = value.toLowerCase();
  if (status !== 'yes' && status !== 'no') throw bad('Bad Messages-Waiting');
  const counts: Partial<Record<MessageClass, MessageCounts>> = {};
  let account: string | undefined;
  for (const [field, content] of rest.map(fieldOf)) {
    const messageClass = MESSAGE_CLASSES.find((each) => each.toLowerCase() === field);
    if (field === 'message-account') account = accountOf(content);
    else if (messageClass) counts[messageClass] = countsOf(content);
  }
  return { isWaiting: status === 'yes', ...(account !== undefined && { account }), counts };
}

/**
 * Sums the publications; no message waits when there is none.
 * @param asOfMs publications that have expired by then do not count
 */
export function composeMessageSummary({ publications }: Presentity, asOfMs: number): MessageSummary {
  const summaries = publications
    .filter(({ event, expiresAtMs }) => event === 'message-summary' && expiresAtMs > asOfMs)
    .sort((left, right) => (left.id < right.id ? -1 : 1))
    .flatMap(({ content }) => (content.kind === 'messages' ? [content.summary] : []));
  const account = summaries.find((each) => each.account !== undefined)?.account;
  const counted = MESSAGE_CLASSES.flatMap((messageClass): [MessageClass, MessageCounts][] => {
    const all = summaries.flatMap(({ counts }) => counts[messageClass] ?? []);
    return all.length === 0 ? [] : [[messageClass, all.reduce(sum)]];
  });
  return {
    isWaiting: summaries.some(({ isWaiting }) => isWaiting),
    ...(account !== undefined && { account }),
    // A lamp with nothing to count is out: phones that read only the counts must see that too.
    counts: counted.length === 0 && summaries.length === 0 ? NO_VOICE_MESSAGES : Object.fromEntries(counted),
  };
}

/** @param entity AOR of the presentity */
export function renderMessageSummary(entity: string, { isWaiting, account, counts }: MessageSummary): [whole: string] {
  const lines = MESSAGE_CLASSES.flatMap((messageClass) => {
    const of = counts[messageClass];
    return of ? [`${messageClass}: ${renderCounts(of)}`] : [];
  });
  const head = [`Messages-Waiting: ${isWaiting ? 'yes' : 'no'}`, `Message-Account: ${account ?? entity}`];
  return [[...head, ...lines, ''].join('\r\n')];
}

const NO_VOICE_MESSAGES: MessageSummary['counts'] = { 'Voice-Message': { newMessages: 0, oldMessages: 0 } };

/** Of a presentity for which nothing is published. */
export const NO_MESSAGES: MessageSummary = { isWaiting: false, counts: NO_VOICE_MESSAGES };

/** Whose mailbox it is stays out; in `stateOnly` the counts, too. */
export function redactedSummary(
  { isWaiting, counts }: MessageSummary,
  access: 'redacted' | 'stateOnly',
): MessageSummary {
  if (access === 'redacted') return { isWaiting, counts };
  return isWaiting ? { isWaiting, counts: {} } : NO_MESSAGES;
}

function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw bad('Bad Message Summary Line');
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}

function accountOf(content: string): string {
  // It becomes a line of a document again: nothing in it may end that line.
  if (!/^[\x21-\x7e]+$/.test(content) || content.length > MAX_ACCOUNT_LENGTH) throw bad('Bad Message-Account');
  return content;
}

function countsOf(content: string): MessageCounts {
  const match = COUNTS.exec(content);
  if (match === null) throw bad('Bad Message Counts');
  const [newMessages = 0, oldMessages = 0, urgentNew, urgentOld] = match
    .slice(1)
    .map((digits) => (digits === undefined ? undefined : Math.min(Number(digits), MAX_COUNT)));
  if (urgentNew === undefined || urgentOld === undefined) return { newMessages, oldMessages };
  return { newMessages, oldMessages, urgent: { newMessages: urgentNew, oldMessages: urgentOld } };
}

function sum(left: MessageCounts, right: MessageCounts): MessageCounts {
  const plain = {
    newMessages: added(left.newMessages, right.newMessages),
    oldMessages: added(left.oldMessages, right.oldMessages),
  };
  if (!left.urgent && !right.urgent) return plain;
  const urgent = {
    newMessages: added(left.urgent?.newMessages ?? 0, right.urgent?.newMessages ?? 0),
    oldMessages: added(left.urgent?.oldMessages ?? 0, right.urgent?.oldMessages ?? 0),
  };
  return { ...plain, urgent };
}

const added = (left: number, right: number): number => Math.min(left + right, MAX_COUNT);

function renderCounts({ newMessages, oldMessages, urgent }: MessageCounts): string {
  const all = `${newMessages}/${oldMessages}`;
  return urgent ? `${all} (${urgent.newMessages}/${urgent.oldMessages})` : all;
}

const bad = (reason: string): SipRejection => new SipRejection(400, reason);
