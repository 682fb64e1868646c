/** The demo's telephone system: who is in which dialog, and the dialog-info document of each telephone (RFC 4235). Pure. */
import type { Outsider, Person } from '#cdk/local/demo-people.ts';

type DialogState = 'trying' | 'proceeding' | 'early' | 'confirmed' | 'terminated';
export type Party = Person | Outsider;
export type Side = 'caller' | 'callee';

export interface Leg {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly direction: 'initiator' | 'recipient';
  readonly local: Party;
  readonly remote: Party;
  readonly state: DialogState;
  /** Why it is in this state (RFC 4235 section 4.1.2); '' when there is nothing to say. */
  readonly event: string;
  readonly held: boolean;
  readonly startedAtMs: number;
}

/** Handle of one call: changes show in the legs of those parties that have a telephone here. */
export interface Call {
  readonly callId: string;
  ring(): void;
  answer(): void;
  hold(holder: Side, held: boolean): void;
  end(event: 'cancelled' | 'rejected' | 'replaced' | 'local-bye' | 'remote-bye'): void;
}

export class Office {
  readonly #domain: string;
  readonly #nowMs: () => number;
  /** By extension: legs that live, or the last one that has ended. */
  readonly #legs = new Map<string, readonly Leg[]>();
  readonly #changed = new Set<string>();
  #calls = 0;

  constructor(domain: string, people: readonly Person[], nowMs: () => number) {
    this.#domain = domain;
    this.#nowMs = nowMs;
    for (const person of people) this.#put(person.extension, []);
  }

  legsOf(extension: string): readonly Leg[] {
    return (this.#legs.get(extension) ?? []).filter((leg) => leg.state !== 'terminated');
  }

  /** The telephones whose documents have changed since the last time this was asked. */
  takeChanged(): string[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /** The caller dials; the other telephone does not know yet. */
  dial(caller: Party, callee: Party): Call {
    this.#calls += 1;
    const startedAtMs = this.#nowMs();
    const callId = `${startedAtMs.toString(36)}-${this.#calls}@${this.#domain}`;
    const tags = { caller: `a${this.#calls}`, callee: `b${this.#calls}` };
    const base = { callId, event: '', held: false, startedAtMs };
    const legs = {
      caller: { ...base, direction: 'initiator', local: caller, remote: callee, localTag: tags.caller, remoteTag: '' },
      callee: {
        ...base,
        direction: 'recipient',
        local: callee,
        remote: caller,
        localTag: tags.callee,
        remoteTag: tags.caller,
      },
    } as const;
    const set = (side: Side, change: Partial<Leg> & { readonly state: DialogState }) =>
      this.#setLeg({
        ...legs[side],
        ...(side === 'caller' && change.state !== 'trying' ? { remoteTag: tags.callee } : {}),
        ...change,
      });
    const setBoth = (change: Partial<Leg> & { readonly state: DialogState }) => {
      set('caller', change);
      set('callee', change);
    };
    set('caller', { state: 'trying' });
    return {
      callId,
      ring: () => setBoth({ state: 'early' }),
      answer: () => setBoth({ state: 'confirmed' }),
      hold: (holder, held) => set(holder, { state: 'confirmed', held }),
      end: (event) => {
        set('caller', { state: 'terminated', event });
        set('callee', { state: 'terminated', event: mirrored(event) });
      },
    };
  }

  /** The whole state of one telephone; an idle one still tells its owner's name in a dialog that is over. */
  document(person: Person): string {
    const entity = this.#uri(person);
    const legs = this.#legs.get(person.extension) ?? [];
    const dialogs = legs.length > 0 ? legs.map((leg) => this.#dialog(leg)) : [this.#idle(person)];
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="${escapeXml(entity)}">`,
      ...dialogs,
      '</dialog-info>',
    ].join('\n');
  }

  #setLeg(leg: Leg): void {
    if (!('extension' in leg.local)) return;
    const { extension } = leg.local;
    const others = this.legsOf(extension).filter((other) => other.callId !== leg.callId);
    this.#put(extension, leg.state === 'terminated' && others.length > 0 ? others : [...others, leg]);
  }

  #put(extension: string, legs: readonly Leg[]): void {
    this.#legs.set(extension, legs);
    this.#changed.add(extension);
  }

  #dialog(leg: Leg): string {
    const tags = `call-id="${escapeXml(leg.callId)}" local-tag="${leg.localTag}"${leg.remoteTag === '' ? '' : ` remote-tag="${leg.remoteTag}"`}`;
    const rendering = leg.held ? '<param pname="+sip.rendering" pval="no"/>' : '';
    return [
      `<dialog id="${leg.direction === 'initiator' ? 'out' : 'in'}-${escapeXml(leg.callId.split('@')[0] ?? '')}" ${tags} direction="${leg.direction}">`,
      `<state${leg.event === '' ? '' : ` event="${leg.event}"`}>${leg.state}</state>`,
      `<duration>${Math.max(0, Math.round((this.#nowMs() - leg.startedAtMs) / 1000))}</duration>`,
      `<local>${this.#identity(leg.local)}<target uri="${escapeXml(this.#uri(leg.local))}">${rendering}</target></local>`,
      `<remote>${this.#identity(leg.remote)}<target uri="${escapeXml(this.#uri(leg.remote))}"/></remote>`,
      '</dialog>',
    ].join('');
  }

  #idle(person: Person): string {
    return `<dialog id="idle"><state>terminated</state><local>${this.#identity(person)}</local></dialog>`;
  }

  #identity(party: Party): string {
    const display = party.name === '' ? '' : ` display="${escapeXml(party.name)}"`;
    return `<identity${display}>${escapeXml(this.#uri(party))}</identity>`;
  }

  #uri(party: Party): string {
    return `sip:${'extension' in party ? party.extension : party.number}@${this.#domain}`;
  }
}

function mirrored(event: string): string {
  return event === 'local-bye' ? 'remote-bye' : event === 'remote-bye' ? 'local-bye' : event;
}

function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
