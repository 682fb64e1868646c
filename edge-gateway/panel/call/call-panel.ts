/** Calls on the page, put together: the desk, its cards, sounds, keys, and what is said about them. */
import { type URI, UserAgent } from 'sip.js';
import type { Announcer } from '#gateway/panel/announcer.ts';
import type { Board } from '#gateway/panel/board.ts';
import type { Call } from '#gateway/panel/call/call.ts';
import type { CallDesk, DeskEvents } from '#gateway/panel/call/call-desk.ts';
import { actionOf, callFor, SHORTCUTS } from '#gateway/panel/call/call-keys.ts';
import { CallsView } from '#gateway/panel/call/calls-view.ts';
import { readDialled, userUri } from '#gateway/panel/call/dial.ts';
import { DialView } from '#gateway/panel/call/dial-view.ts';
import { type LampAction, lampAction } from '#gateway/panel/call/lamp-action.ts';
import type { NoticesView } from '#gateway/panel/call/notices-view.ts';
import { pickUpOf } from '#gateway/panel/call/replaces.ts';
import { Ringer, soundOf } from '#gateway/panel/call/ringer.ts';
import type { Party } from '#gateway/panel/dialog-info.ts';
import type { Presentity } from '#gateway/panel/presentity.ts';
import type { Problem } from '#gateway/panel/problem.ts';
import { type NameOf, partyName, userOf } from '#gateway/panel/wording.ts';

export interface CallSide {
  readonly user: string;
  readonly domain: string;
  readonly board: Board;
  readonly desk: CallDesk;
}

export interface CallPanelPorts {
  readonly announcer: Announcer;
  readonly notices: NoticesView;
  /** What lamps do on a press has changed, or the calls have. */
  onChange(): void;
}

export class CallPanel {
  readonly #ports: CallPanelPorts;
  readonly #ringer = new Ringer();
  readonly #dial = new DialView((typed) => this.#dialled(typed));
  readonly #view: CallsView;
  #side: CallSide | undefined;
  #announced: ReadonlySet<string> = new Set();

  constructor(ports: CallPanelPorts) {
    this.#ports = ports;
    this.#view = new CallsView({
      onAnswer: (id) => void this.#side?.desk.answer(id),
      onHangUp: (id) => this.#side?.desk.hangUp(id),
      onHold: (id, held) => void this.#side?.desk.setHeld(id, held),
      onMute: (id, muted) => this.#side?.desk.setMuted(id, muted),
      onTransferring: () => ports.onChange(),
      onTransfer: (id, typed) => this.#transferTo(id, typed),
    });
    addEventListener('keydown', (event) => this.#onKey(event));
  }

  get calls(): readonly Call[] {
    return this.#side?.desk.calls ?? [];
  }

  open(side: CallSide): void {
    this.#side = side;
    this.#ports.notices.clear();
    this.showNames();
    this.#show();
  }

  close(): void {
    this.#side?.desk.hangUpAll();
    this.#side = undefined;
    this.#ports.notices.clear();
    this.#show();
  }

  /** Who can be called by name. */
  showNames(): void {
    const side = this.#side;
    if (side !== undefined) this.#dial.suggest(colleaguesOf(side));
  }

  tick(nowMs: number): void {
    this.#view.tick(nowMs);
  }

  lampAction(presentity: Presentity): LampAction {
    const parties = this.calls.filter(({ phase }) => phase !== 'incoming').map(({ party }) => userOf(party.uri));
    const isTransferring = this.#view.transferring !== '';
    return lampAction(presentity, { user: this.#side?.user ?? '', parties, isTransferring });
  }

  pressLamp(extension: string): void {
    const side = this.#side;
    if (side === undefined) return;
    const presentity = side.board.get(extension);
    const pickUp = pickUpOf(presentity);
    const action = this.lampAction(presentity);
    if (action === 'transfer') this.#transferTo(this.#view.transferring, extension);
    else if (action === 'call') this.#callUser(side, extension);
    else if (action === 'pickUp' && pickUp !== undefined) {
      const target = UserAgent.makeURI(pickUp.target);
      if (target !== undefined) void side.desk.pickUp(target, pickUp);
    }
  }

  /** What the desk of a session tells. */
  deskEvents(nameOf: (extension: string) => string): DeskEvents {
    const name = (party: Party): string => partyName(party, nameOf);
    return {
      onCalls: () => this.#show(),
      onProblem: (problem) => this.#tell(problem),
      onMissed: (party) => this.#missed(party, name(party)),
      onElsewhere: (party) => this.#ports.announcer.say('call', `The call from ${name(party)} was taken elsewhere`),
      nameOf: name,
    };
  }

  #show(): void {
    const { calls } = this;
    const nameOf = this.#side?.board.nameOf ?? (() => '');
    this.#view.show(calls, nameOf, this.#side?.desk.online ?? true);
    this.#ringer.play(soundOf(calls));
    this.#announceNew(calls, nameOf);
    this.#ports.onChange();
  }

  #announceNew(calls: readonly Call[], nameOf: NameOf): void {
    const incoming = calls.filter(({ phase }) => phase === 'incoming');
    for (const { id, party } of incoming)
      if (!this.#announced.has(id))
        this.#ports.announcer.sayNow(
          `Call from ${partyName(party, nameOf)}. ${SHORTCUTS.answer} accepts, ${SHORTCUTS.hangUp} declines`,
        );
    this.#announced = new Set(incoming.map(({ id }) => id));
  }

  #tell({ title, advice }: Problem): void {
    this.#ports.notices.add({ kind: 'problem', about: 'call', title, advice });
  }

  #missed(party: Party, name: string): void {
    const at = new Date().toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
    const { user, host } = UserAgent.makeURI(party.uri) ?? { user: '', host: '' };
    this.#ports.notices.add({
      kind: 'missed',
      about: `missed ${party.uri}`,
      title: `Missed call from ${name}`,
      advice: `at ${at}.`,
      ...(user && { action: { text: 'Call back', run: () => void this.#dialled(`${user}@${host}`) } }),
    });
  }

  #dialled(typed: string): string {
    const side = this.#side;
    if (side === undefined) return '';
    const dialled = readDialled(typed, side.domain, colleaguesOf(side));
    if ('problem' in dialled) return dialled.problem;
    if (dialled.user === side.user) return 'This is your own number.';
    const target = UserAgent.makeURI(dialled.uri);
    if (target === undefined) return `“${typed}” cannot be called.`;
    this.#place(side, target, { displayName: '', uri: dialled.uri });
    return '';
  }

  #callUser(side: CallSide, extension: string): void {
    const uri = userUri(extension, side.domain);
    const target = UserAgent.makeURI(uri);
    if (target !== undefined) this.#place(side, target, { displayName: '', uri });
  }

  #place(side: CallSide, target: URI, party: Party): void {
    this.#ports.notices.forget('call');
    const again = side.desk.calls.find(
      (call) => call.phase !== 'incoming' && userOf(call.party.uri) === userOf(party.uri),
    );
    // A second press on the lamp of somebody who is being called already is a mistake.
    if (again === undefined) void side.desk.place(target, party);
  }

  #transferTo(id: string, typed: string): string {
    const side = this.#side;
    if (side === undefined) return '';
    const dialled = readDialled(typed, side.domain, colleaguesOf(side));
    if ('problem' in dialled) return dialled.problem;
    const target = UserAgent.makeURI(dialled.uri);
    if (target === undefined) return `“${typed}” cannot be called.`;
    void side.desk.transfer(id, target, side.board.nameOf(dialled.user) || dialled.user);
    return '';
  }

  #onKey(event: KeyboardEvent): void {
    const action = actionOf(event);
    const call = action === undefined ? undefined : callFor(action, this.calls);
    const desk = this.#side?.desk;
    if (action === undefined || call === undefined || desk === undefined) return;
    event.preventDefault();
    if (action === 'answer') void desk.answer(call.id);
    else if (action === 'hangUp') desk.hangUp(call.id);
    else if (action === 'hold') void desk.setHeld(call.id, !call.held);
    else desk.setMuted(call.id, !call.muted);
  }
}

function colleaguesOf({ board, user }: CallSide) {
  return board.extensions
    .filter((extension) => extension !== user)
    .map((extension) => ({ extension, name: board.nameOf(extension) }));
}
