/** Messages on the page, put together: what is kept, what is unread, and what is said about news. */
import type { UserAgent } from 'sip.js';
import type { Announcer } from '#gateway/panel/announcer.ts';
import type { NoticesView } from '#gateway/panel/call/notices-view.ts';
import { type Conversations, readConversations } from '#gateway/panel/chat/conversations.ts';
import { Messenger } from '#gateway/panel/chat/messenger.ts';
import { loadTalk, saveTalk } from '#gateway/panel/preferences.ts';

const SHOWN_OF_NEWS = 80;

export interface ChatPanelPorts {
  readonly announcer: Announcer;
  readonly notices: NoticesView;
  /** The colleague whose details are open; '' when none. */
  chosen(): string;
  nameOf(who: string): string;
  onChange(who: string): void;
  /** The user wants to read it. */
  onOpen(who: string): void;
}

export class ChatPanel {
  readonly #ports: ChatPanelPorts;
  #messenger: Messenger | undefined;

  constructor(ports: ChatPanelPorts) {
    this.#ports = ports;
    document.addEventListener('visibilitychange', () => this.chosen(ports.chosen()));
  }

  get conversations(): Conversations {
    return this.#messenger?.conversations ?? new Map();
  }

  get unread(): number {
    return this.#messenger?.unread ?? 0;
  }

  /** @param account `user@domain`, whose messages are kept apart from others' */
  open(agent: UserAgent, account: string): Messenger {
    const messenger: Messenger = new Messenger(agent, readConversations(loadTalk(account)), {
      isSeen: (who) => this.#isSeen(who),
      onConversation: (who, news) => {
        saveTalk(account, [...messenger.conversations]);
        if (news !== undefined) this.#tell(who, news);
        this.#ports.onChange(who);
      },
    });
    this.#messenger = messenger;
    return messenger;
  }

  /** @param account whose messages this tab forgets; `undefined` keeps them */
  close(account?: string): void {
    this.#messenger = undefined;
    if (account !== undefined) saveTalk(account, undefined);
  }

  send(who: string, text: string): string {
    return this.#messenger?.send(who, text) ?? '';
  }

  /** The details of this one are open now. */
  chosen(who: string): void {
    if (!this.#isSeen(who)) return;
    this.#messenger?.markRead(who);
    this.#ports.notices.forget(`message ${who}`);
  }

  #isSeen(who: string): boolean {
    return who !== '' && who === this.#ports.chosen() && document.visibilityState === 'visible';
  }

  #tell(who: string, news: string): void {
    const name = this.#ports.nameOf(who) || who;
    const text = news.length > SHOWN_OF_NEWS ? `${news.slice(0, SHOWN_OF_NEWS)}…` : news;
    this.#ports.announcer.say(`message ${who}`, `Message from ${name}: ${text}`);
    if (this.#isSeen(who)) return;
    const action = { text: 'Open', run: () => this.#ports.onOpen(who) };
    this.#ports.notices.add({ kind: 'message', about: `message ${who}`, title: `${name}:`, advice: text, action });
  }
}
