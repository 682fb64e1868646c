/** Publishers of the model test: they keep entity-tags as a client does, and the model beside it. */
import { Connection, DOMAIN, fresh, linesOf } from './model-connection.ts';
import { documentText, ModelPublication, PUBLISHERS, type PublishedDocument } from './model-lamps.ts';
import type { World } from './model-world.ts';

/** One publisher's publication of one presentity, with its entity-tag. */
export class Publisher {
  readonly #world: World;
  readonly #publisher: number;
  readonly #uri: string;
  #connection: Connection | undefined;
  /** All publications of the presentity, for the model. */
  readonly #all: ModelPublication[];
  #turn: Promise<unknown> = Promise.resolve();
  #tag = '';
  #oldTag = '';
  #own: ModelPublication | undefined;

  constructor(world: World, publisher: number, user: string, all: ModelPublication[]) {
    this.#world = world;
    this.#publisher = publisher;
    this.#uri = `sip:${user}@${DOMAIN}`;
    this.#all = all;
  }

  /** Comes back when its gateway has died. */
  #connected(): Connection {
    if (this.#connection === undefined || !this.#connection.isAlive) {
      const user = PUBLISHERS[this.#publisher] ?? '';
      this.#connection = new Connection(this.#world, this.#publisher, user, 'publisher', () => undefined);
    }
    return this.#connection;
  }

  /** A client sends the requests of one publication one after the other (RFC 3903 section 4.1). */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Initial, or with the entity-tag that it has a modification; `isTwice`: a copy of it races it. */
  publish(document: PublishedDocument, seconds: number, isTwice: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const own = this.#own;
      const tags = await this.#send(seconds, this.#tag, isTwice, document);
      const expiresAtMs = this.#world.nowMs + seconds * 1_000;
      if (own !== undefined && this.#isTaken(own, tags)) {
        own.apply(document);
        own.expiresAtMs = expiresAtMs;
      }
      if (own !== undefined) return;
      // Two initial ones are two publications; the second one's tag is kept, the first one lives on until its end.
      for (const tag of tags) {
        this.#own = new ModelPublication(this.#publisher, expiresAtMs, document);
        this.#all.push(this.#own);
        this.#tag = tag;
      }
      if (tags.length === 0) throw new Error('an initial PUBLISH was refused');
    });
  }

  refresh(seconds: number, isTwice: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const own = this.#own;
      if (own === undefined) return;
      const tags = await this.#send(seconds, this.#tag, isTwice);
      if (this.#isTaken(own, tags)) own.expiresAtMs = this.#world.nowMs + seconds * 1_000;
    });
  }

  remove(isTwice: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const own = this.#own;
      if (own === undefined) return;
      const tags = await this.#send(0, this.#tag, isTwice);
      if (this.#isTaken(own, tags)) this.#all.splice(this.#all.indexOf(own), 1);
      this.#own = undefined;
      this.#tag = '';
    });
  }

  /** A late copy with the entity-tag before the last one changes nothing. */
  publishStale(document: PublishedDocument): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#oldTag === '') return;
      const tags = await this.#send(600, this.#oldTag, false, document);
      if (tags.length > 0) throw new Error('an old entity-tag was taken');
    });
  }

  /** The publisher starts anew and knows nothing of its publication. */
  forget(): Promise<void> {
    return this.#inTurn(async () => {
      this.#own = undefined;
      this.#tag = '';
    });
  }

  /** Exactly one of the requests was done, unless the publication had expired: then none. */
  #isTaken(own: ModelPublication, [tag, ...more]: readonly string[]): boolean {
    const isAlive = own.expiresAtMs > this.#world.nowMs;
    if ((tag !== undefined) !== isAlive || more.length > 0)
      throw new Error(`${more.length + (tag === undefined ? 0 : 1)} were taken; alive: ${isAlive}`);
    if (tag === undefined) {
      this.#own = undefined;
      this.#tag = '';
      return false;
    }
    this.#oldTag = this.#tag;
    this.#tag = tag;
    return true;
  }

  /** @returns the new entity-tags, of what was answered 200 */
  async #send(seconds: number, tag: string, isTwice: boolean, document?: PublishedDocument): Promise<string[]> {
    const user = `sip:${PUBLISHERS[this.#publisher]}@${DOMAIN}`;
    const fields = [`Expires: ${seconds}`, ...(tag === '' ? [] : [`SIP-If-Match: ${tag}`])];
    const body = document === undefined ? {} : { body: documentText(this.#uri, this.#publisher, document) };
    if (document !== undefined) fields.push('Content-Type: application/dialog-info+xml');
    const sent = Array.from({ length: isTwice ? 2 : 1 }, () => {
      const callId = `publish-${fresh()}`;
      const parts = { from: `<${user}>;tag=${fresh()}`, to: `<${this.#uri}>`, uri: this.#uri, callId, cseq: 1 };
      const lines = linesOf({ method: 'PUBLISH', ...parts, fields, ...body });
      return this.#connected().request(lines, `${callId} 1 PUBLISH`, 1);
    });
    const answers = await Promise.all(sent);
    const bad = answers.find((answer) => answer?.status !== 200 && answer?.status !== 412);
    if (bad !== undefined) throw new Error(`PUBLISH: ${bad.startLine}`);
    return answers.flatMap((answer) => (answer?.status === 200 ? answer.header('sip-etag') : []));
  }
}
