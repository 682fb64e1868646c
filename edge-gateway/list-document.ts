/** Documents of one subscription to an event list (RFC 4662): RLMI and the members' own. PURE. */
import type { TerminationReason } from '#contract/schemas.ts';
import { escapeXml } from '#core/xml.ts';
import type { Document } from './subscription-table.ts';

export const RLMI_TYPE = 'application/rlmi+xml';

/** One member as the function found it. */
export interface MemberState {
  readonly uri: string;
  readonly name?: string | undefined;
  readonly state: InstanceState;
  readonly reason?: TerminationReason | undefined;
  readonly document?: Document | undefined;
}

/** A pending or terminated one shows no document. */
export type InstanceState = 'active' | 'pending' | 'terminated';

/** What a member shows instead of its state, from now on. */
export interface WithheldInstance {
  readonly state: 'pending' | 'terminated';
  readonly reason?: TerminationReason | undefined;
}

interface Member extends MemberState {
  /** Names its instance, and makes Content-IDs; never used again within the subscription. */
  readonly number: number;
  /** Version of the next document of this member: each is a subscription of its own in the list. */
  version: number;
  state: InstanceState;
  reason?: TerminationReason | undefined;
  document?: Document | undefined;
}

/**
 * A body stays under this, unless a single member's document alone is longer: with its header fields, a NOTIFY is then
 * no longer than any message that Lampfield takes itself.
 */
export const MAX_LIST_BODY_BYTES = 60 * 1024;
/** Multipart and RLMI around the entries and parts: more than it ever is. */
const FRAME_BYTES = 1_024;
/** Digits of a version. */
const VERSION_BYTES = 10;

export class ListDocument {
  readonly uri: string;
  readonly #id: string;
  readonly #host: string;
  readonly #firstVersion: number;
  #members = new Map<string, Member>();
  readonly #changed = new Set<Member>();
  #isFullDue = true;
  #endReason: TerminationReason | undefined;
  #lastNumber = 0;

  /**
   * @param id of the subscription, for Content-IDs and the boundary
   * @param firstVersion of members' documents: 0 for a new subscription
   */
  constructor(uri: string, id: string, firstVersion: number) {
    this.uri = uri;
    this.#id = id;
    this.#host = /@([^;>]+)/.exec(uri)?.[1] ?? 'list.invalid';
    this.#firstVersion = firstVersion;
  }

  /** True when {@link compose} has something new to say. */
  get hasChanges(): boolean {
    return this.#isFullDue || this.#changed.size > 0;
  }

  get size(): number {
    return this.#members.size;
  }

  has(uri: string): boolean {
    return this.#members.has(uri);
  }

  /** Takes the whole list as it is now; a newer document of one who shows any stays. The next document is full. */
  replace(states: readonly MemberState[]): void {
    const former = this.#members;
    this.#members = new Map();
    for (const state of states) {
      const known = former.get(state.uri);
      const member: Member = {
        ...state,
        number: known?.number ?? ++this.#lastNumber,
        version: known?.version ?? this.#firstVersion,
      };
      if (state.state === 'active' && known?.document !== undefined && isNewer(known.document, member.document)) {
        member.state = known.state;
        member.reason = known.reason;
        member.document = known.document;
      }
      this.#members.set(state.uri, member);
    }
    this.demandFull();
  }

  /**
   * Takes the state of one member.
   * @param withheld it shows this and no document; the document only says how new that is
   * @returns false when it is no member, or the state is not newer
   */
  take(uri: string, document: Document, withheld?: WithheldInstance): boolean {
    const member = this.#members.get(uri);
    if (member === undefined || !isNewer(document, member.document)) return false;
    member.state = withheld?.state ?? 'active';
    member.reason = withheld?.reason;
    member.document = document;
    this.#changed.add(member);
    return true;
  }

  /** What was sent may be lost: the next document is full. */
  demandFull(): void {
    this.#changed.clear();
    this.#isFullDue = true;
  }

  /** The next document is the last one: all instances end with the list. */
  end(reason: TerminationReason): void {
    this.demandFull();
    this.#endReason = reason;
  }

  /**
   * The next document, split around its RLMI version. A full one names every member, a partial one those that have
   * changed. Documents that do not fit wait for the next NOTIFY ({@link hasChanges} tells): a full document names their
   * members without one (`cid` is optional in RFC 4662).
   * @param version of the RLMI document, to make Content-IDs unique
   */
  compose(version: number): Document {
    const isFull = this.#isFullDue;
    const candidates = isFull ? [...this.#members.values()] : [...this.#changed];
    this.#isFullDue = false;
    this.#changed.clear();
    const cidOf = ({ number }: Member): string => `${number}.${version}.${this.#id}@${this.#host}`;
    const entryBytes = (member: Member): number => Buffer.byteLength(this.#entry(member, cidOf(member)));
    let left = MAX_LIST_BODY_BYTES - FRAME_BYTES;
    if (isFull) for (const member of candidates) left -= entryBytes(member);
    const entries: string[] = [];
    const parts: string[] = [];
    for (const member of candidates) {
      const cid = shownOf(member) && cidOf(member);
      const bytes = this.#partBytes(member) + (isFull ? 0 : entryBytes(member));
      if (cid !== undefined && parts.length > 0 && bytes > left) {
        this.#changed.add(member);
        if (isFull) entries.push(this.#entry(member, undefined));
        continue;
      }
      left -= bytes;
      entries.push(this.#entry(member, cid));
      if (cid !== undefined) parts.push(this.#part(member, cid));
    }
    return this.#assemble(isFull, entries, parts);
  }

  #entry(member: Member, cid: string | undefined): string {
    const { number, name } = member;
    const state = this.#endReason === undefined ? member.state : 'terminated';
    const reason = member.reason ?? this.#endReason;
    const instance = [
      `<instance id="${number}" state="${state}"`,
      reason === undefined ? '' : ` reason="${reason}"`,
      cid === undefined ? '' : ` cid="${escapeXml(cid)}"`,
      '/>',
    ].join('');
    const shown = name === undefined ? '' : `<name>${escapeXml(name)}</name>`;
    return `<resource uri="${escapeXml(member.uri)}">${shown}${instance}</resource>\n`;
  }

  #partBytes(member: Member): number {
    const document = shownOf(member);
    if (document === undefined) return 0;
    const head = this.#partHead(`${'9'.repeat(2 * VERSION_BYTES)}.${this.#id}@${this.#host}`, document.contentType);
    return Buffer.byteLength(head) + document.bytes + VERSION_BYTES;
  }

  #part(member: Member, cid: string): string {
    const document = shownOf(member);
    if (document === undefined) return '';
    const { contentType, before, after } = document;
    const version = after === undefined ? '' : String(member.version);
    if (after !== undefined) member.version = (member.version + 1) >>> 0;
    return `${this.#partHead(cid, contentType)}${before}${version}${after ?? ''}\r\n`;
  }

  #partHead(cid: string, contentType: string): string {
    const fields = `Content-Transfer-Encoding: binary\r\nContent-ID: <${cid}>\r\nContent-Type: ${contentType}\r\n`;
    return `--${this.#boundary}\r\n${fields}\r\n`;
  }

  /** The id is random and known to the watcher alone: nobody can write this line into a document of theirs. */
  get #boundary(): string {
    return `list-${this.#id}`;
  }

  #assemble(isFull: boolean, entries: readonly string[], parts: readonly string[]): Document {
    const root = `rlmi.${this.#id}@${this.#host}`;
    const start = `<?xml version="1.0" encoding="UTF-8"?>\n<list xmlns="urn:ietf:params:xml:ns:rlmi"`;
    const head = this.#partHead(root, `${RLMI_TYPE};charset="UTF-8"`);
    const before = `${head}${start} uri="${escapeXml(this.uri)}" version="`;
    const rlmi = `" fullState="${isFull}">\n${entries.join('')}</list>\r\n`;
    const after = `${rlmi}${parts.join('')}--${this.#boundary}--\r\n`;
    return {
      presentityVersion: 0,
      contentType: `multipart/related;type="${RLMI_TYPE}";start="<${root}>";boundary="${this.#boundary}"`,
      ...{ entityTag: undefined, partial: undefined, before, after },
      bytes: Buffer.byteLength(before) + Buffer.byteLength(after),
    };
  }
}

const shownOf = ({ state, document }: Member): Document | undefined => (state === 'active' ? document : undefined);

const isNewer = (document: Document, than: Document | undefined): boolean =>
  than === undefined || document.presentityVersion > than.presentityVersion;
