/** What was written with whom, how far each message came, and what is unread. Pure. */

/** `kept`: the other side is away, the server keeps it. */
export type Delivery = 'sending' | 'delivered' | 'kept' | 'failed' | 'received';

export interface ChatMessage {
  readonly id: string;
  readonly text: string;
  readonly atMs: number;
  readonly delivery: Delivery;
  /** Why it failed. */
  readonly problem?: string;
}

export interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly unread: number;
}

/** By the other side: an extension, or `user@domain` of another company. */
export type Conversations = ReadonlyMap<string, Conversation>;

/** Older ones are forgotten. */
export const MESSAGES_KEPT = 200;
const NOTHING: Conversation = { messages: [], unread: 0 };

export function conversationWith(all: Conversations, who: string): Conversation {
  return all.get(who) ?? NOTHING;
}

/** @param seen the conversation is open before the user's eyes */
export function added(all: Conversations, who: string, message: ChatMessage, seen: boolean): Conversations {
  const { messages, unread } = conversationWith(all, who);
  const isNews = message.delivery === 'received' && !seen;
  const kept = [...messages, message].slice(-MESSAGES_KEPT);
  return new Map(all).set(who, { messages: kept, unread: isNews ? Math.min(unread + 1, kept.length) : unread });
}

export function delivered(
  all: Conversations,
  who: string,
  id: string,
  outcome: Pick<ChatMessage, 'delivery' | 'problem'>,
): Conversations {
  const { messages, unread } = conversationWith(all, who);
  const changed = messages.map((message) => (message.id === id ? { ...message, ...outcome } : message));
  return new Map(all).set(who, { messages: changed, unread });
}

export function read(all: Conversations, who: string): Conversations {
  const conversation = all.get(who);
  return conversation === undefined || conversation.unread === 0
    ? all
    : new Map(all).set(who, { ...conversation, unread: 0 });
}

export function unreadOfAll(all: Conversations): number {
  return [...all.values()].reduce((sum, { unread }) => sum + unread, 0);
}

/** Reads what `JSON.stringify([...all])` gave; whatever does not look like it is left out. */
export function readConversations(kept: unknown): Conversations {
  if (!Array.isArray(kept)) return new Map();
  return new Map(
    kept.flatMap((entry: unknown): [string, Conversation][] => {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string' || !isConversation(entry[1])) return [];
      // What was being sent when the page went is not known to have come anywhere.
      const messages = entry[1].messages.map((message) =>
        message.delivery === 'sending' ? ({ ...message, delivery: 'failed' } as const) : message,
      );
      return [[entry[0], { ...entry[1], messages }]];
    }),
  );
}

function isConversation(value: unknown): value is Conversation {
  if (typeof value !== 'object' || value === null || !('messages' in value) || !('unread' in value)) return false;
  return Array.isArray(value.messages) && typeof value.unread === 'number' && value.messages.every(isMessage);
}

function isMessage(value: unknown): value is ChatMessage {
  if (typeof value !== 'object' || value === null || !('text' in value) || !('atMs' in value)) return false;
  return typeof value.text === 'string' && typeof value.atMs === 'number' && 'delivery' in value;
}
