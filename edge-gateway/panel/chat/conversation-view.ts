/** The conversation with the chosen colleague: what was written, and the field to write in. */
import {
  type ChatMessage,
  type Conversation,
  type Conversations,
  conversationWith,
} from '#gateway/panel/chat/conversations.ts';
import { element, setText } from '#gateway/panel/dom.ts';

const DELIVERIES = {
  sending: 'Sending…',
  delivered: 'Delivered',
  kept: 'Kept until they sign in',
  failed: 'Not delivered',
  received: '',
} as const;

export class ConversationView {
  readonly section = element('section', { class: 'conversation' });
  readonly #list = element('ol', { class: 'messages', role: 'log', 'aria-label': 'Messages' });
  readonly #input = element('input', { autocomplete: 'off', placeholder: 'Write a message', maxlength: '1300' });
  readonly #problem = element('p', { class: 'problem', role: 'alert' });
  #who = '';
  #shown: Conversation | undefined;

  /** @param onSend gives what is wrong with the text; '' when it is on its way */
  constructor(onSend: (who: string, text: string) => string) {
    const form = element('form', { class: 'message-form' });
    form.append(this.#input, element('button', { type: 'submit', class: 'quiet' }, 'Send'));
    this.section.append(this.#list, this.#problem, form);
    this.#say('');
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const problem = onSend(this.#who, this.#input.value);
      this.#say(problem);
      if (problem === '') this.#input.value = '';
    });
  }

  /** @param name how the other side is called on the page */
  show(who: string, name: string, all: Conversations): void {
    const conversation = conversationWith(all, who);
    if (who === this.#who && conversation === this.#shown) return;
    if (who !== this.#who) this.#input.value = '';
    this.#who = who;
    this.#shown = conversation;
    this.section.setAttribute('aria-label', `Messages with ${name}`);
    this.#input.setAttribute('aria-label', `Message to ${name}`);
    this.#list.replaceChildren(...conversation.messages.map(messageItem));
    this.#list.hidden = conversation.messages.length === 0;
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  focus(): void {
    this.#input.focus();
  }

  #say(problem: string): void {
    this.#problem.hidden = problem === '';
    setText(this.#problem, problem);
  }
}

function messageItem({ text, atMs, delivery, problem }: ChatMessage): HTMLLIElement {
  const time = new Date(atMs).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  const fate = [DELIVERIES[delivery], problem].filter(Boolean).join('. ');
  return element(
    'li',
    { class: delivery === 'received' ? 'theirs' : 'ours', 'data-delivery': delivery },
    element('span', { class: 'visually-hidden' }, delivery === 'received' ? 'They: ' : 'You: '),
    element('span', { class: 'message-text' }, text),
    element('span', { class: 'hint' }, [time, fate].filter(Boolean).join(' · ')),
  );
}
