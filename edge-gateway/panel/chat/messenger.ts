/** Page-mode messages (RFC 3428) of this page: sends, takes in, and keeps the conversations. */
import { type Message, Messager, UserAgent } from 'sip.js';
import { userUri } from '#gateway/panel/call/dial.ts';
import { added, type Conversations, delivered, read, unreadOfAll } from '#gateway/panel/chat/conversations.ts';

/** Of a body, by RFC 3428 section 8. */
export const MAX_MESSAGE_BYTES = 1_300;

export interface MessengerEvents {
  /** A conversation has changed. @param news text of a message that has just come */
  onConversation(who: string, news?: string): void;
  /** Whether the user has this conversation before the eyes. */
  isSeen(who: string): boolean;
}

export class Messenger {
  readonly #agent: UserAgent;
  readonly #events: MessengerEvents;
  #all: Conversations;

  constructor(agent: UserAgent, kept: Conversations, events: MessengerEvents) {
    this.#agent = agent;
    this.#all = kept;
    this.#events = events;
  }

  get conversations(): Conversations {
    return this.#all;
  }

  get unread(): number {
    return unreadOfAll(this.#all);
  }

  markRead(who: string): void {
    const before = this.#all;
    this.#all = read(before, who);
    if (this.#all !== before) this.#events.onConversation(who);
  }

  /** @returns what is wrong with the text; '' when it is on its way */
  send(who: string, text: string): string {
    const content = text.trim();
    if (content === '') return '';
    if (new TextEncoder().encode(content).length > MAX_MESSAGE_BYTES) return 'This is too long for one message.';
    const id = crypto.randomUUID();
    this.#put(added(this.#all, who, { id, text: content, atMs: Date.now(), delivery: 'sending' }, true), who);
    const target = UserAgent.makeURI(
      who.includes('@') ? `sip:${who}` : userUri(who, this.#agent.configuration.uri.host),
    );
    if (target === undefined) return `“${who}” is no address.`;
    const settle = ({ message: { statusCode = 0, reasonPhrase = '' } }: Answer): void => {
      this.#put(delivered(this.#all, who, id, outcomeOf(statusCode, reasonPhrase)), who);
    };
    const requestDelegate = { onAccept: settle, onReject: settle, onRedirect: settle };
    void new Messager(this.#agent, target, content).message({ requestDelegate });
    return '';
  }

  receive(message: Message): void {
    const { request } = message;
    const type = request.getHeader('content-type')?.split(';')[0]?.trim().toLowerCase() ?? 'text/plain';
    if (type !== 'text/plain') return void message.reject({ statusCode: 415, extraHeaders: ['Accept: text/plain'] });
    void message.accept();
    const { user = '', host } = request.from.uri;
    const who = host === this.#agent.configuration.uri.host ? user : `${user}@${host}`;
    const sentAtMs = Date.parse(request.getHeader('date') ?? '');
    const atMs = Number.isNaN(sentAtMs) ? Date.now() : Math.min(sentAtMs, Date.now());
    const entry = { id: crypto.randomUUID(), text: request.body, atMs, delivery: 'received' } as const;
    this.#put(added(this.#all, who, entry, this.#events.isSeen(who)), who, request.body);
  }

  #put(all: Conversations, who: string, news?: string): void {
    this.#all = all;
    this.#events.onConversation(who, news);
  }
}

interface Answer {
  readonly message: { readonly statusCode?: number | undefined; readonly reasonPhrase?: string | undefined };
}

function outcomeOf(status: number, reason: string) {
  if (status === 202) return { delivery: 'kept' } as const;
  if (status >= 200 && status < 300) return { delivery: 'delivered' } as const;
  return { delivery: 'failed', problem: failureText(status, reason) } as const;
}

export function failureText(status: number, reason: string): string {
  if (status === 404) return 'There is no such user.';
  if (status === 480) return 'Nobody is signed in there now.';
  if (status === 413) return 'The company does not allow messages of this length.';
  if (status === 408 || status === 0 || status === 503) return 'The server did not answer.';
  return `The server answered ${status} ${reason}.`;
}
