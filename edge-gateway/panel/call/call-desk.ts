/** All calls of this page: who may begin one, which one talks, and what becomes of calls that come in. */
import { type Invitation, Inviter, type Referral, type URI, type UserAgent } from 'sip.js';
import type { Call, CallEnd } from '#gateway/panel/call/call.ts';
import {
  callProblem,
  lostCall,
  pickUpProblem,
  tooManyCalls,
  transferProblem,
} from '#gateway/panel/call/call-problem.ts';
import { CallSession } from '#gateway/panel/call/call-session.ts';
import type { IceServers } from '#gateway/panel/call/ice.ts';
import { closeMicrophone, openMicrophone } from '#gateway/panel/call/media.ts';
import { type PickUp, type Replaces, readReplaces, replacesValue } from '#gateway/panel/call/replaces.ts';
import type { Party } from '#gateway/panel/dialog-info.ts';
import type { Problem } from '#gateway/panel/problem.ts';

/** One talks, others wait; whoever calls beyond them hears busy. */
export const MAX_CALLS = 3;

const BAD_REQUEST = 400;
const BUSY_HERE = 486;
const CANCELLED = 487;
const NO_SUCH_CALL = 481;
const UNAVAILABLE = 480;
const DECLINED = 603;

export interface DeskEvents {
  onCalls(): void;
  onProblem(problem: Problem): void;
  onMissed(party: Party): void;
  onElsewhere(party: Party): void;
  nameOf(party: Party): string;
}

export class CallDesk {
  readonly #agent: UserAgent;
  readonly #ice: IceServers;
  readonly #events: DeskEvents;
  #sessions: CallSession[] = [];
  /** Hung up while the line was down: the other side has not heard it yet. */
  #unheard: CallSession[] = [];
  /** A call that we make because we are being transferred, and the one that it is to replace. */
  readonly #handedOn = new Map<CallSession, CallSession>();
  readonly #pickUps = new Set<string>();
  #online = true;

  constructor(agent: UserAgent, ice: IceServers, events: DeskEvents) {
    this.#agent = agent;
    this.#ice = ice;
    this.#events = events;
  }

  get calls(): readonly Call[] {
    return this.#sessions.map(({ call }) => call);
  }

  get online(): boolean {
    return this.#online;
  }

  async place(target: URI, party: Party): Promise<void> {
    await this.#begin(new Inviter(this.#agent, target), party);
  }

  /** Takes over a call that rings at a colleague's: its caller's device replaces it by ours. */
  async pickUp(target: URI, { caller, replaces }: PickUp): Promise<void> {
    const extraHeaders = [`Replaces: ${replacesValue(replaces)}`, 'Require: replaces'];
    const inviter = new Inviter(this.#agent, target, { extraHeaders });
    this.#pickUps.add(inviter.id);
    await this.#begin(inviter, caller);
  }

  /** Takes an INVITE in: it rings, waits beside another call, or replaces one. */
  invited(invitation: Invitation): void {
    const replaced = invitation.request.getHeader('replaces');
    if (replaced !== undefined) this.#replace(invitation, readReplaces(replaced));
    else if (this.#sessions.length >= MAX_CALLS) refuse(invitation, BUSY_HERE);
    else this.#open(invitation, callerOf(invitation)).ring();
  }

  async answer(id: string): Promise<void> {
    const session = this.#find(id);
    if (session === undefined || session.call.phase !== 'incoming') return;
    const microphone = await this.#microphone();
    if (microphone === undefined) return;
    if (session.isFinished) return closeMicrophone(microphone);
    this.#holdOthers(session);
    await session.answer(microphone).catch(() => closeMicrophone(microphone));
  }

  hangUp(id: string): void {
    this.#find(id)?.hangUp();
  }

  hangUpAll(): void {
    for (const session of [...this.#sessions]) session.hangUp();
  }

  async setHeld(id: string, held: boolean): Promise<void> {
    const session = this.#find(id);
    if (session === undefined) return;
    if (!held) this.#holdOthers(session);
    await session.setHeld(held);
  }

  setMuted(id: string, muted: boolean): void {
    this.#find(id)?.setMuted(muted);
  }

  async transfer(id: string, target: URI, to: string): Promise<void> {
    await this.#find(id)?.transfer(target, to);
  }

  lineLost(): void {
    this.#online = false;
    for (const session of [...this.#sessions]) session.suspend();
    this.#events.onCalls();
  }

  lineBack(): void {
    if (this.#online) return;
    this.#online = true;
    for (const session of [...this.#sessions, ...this.#unheard]) void session.resume();
    this.#unheard = [];
    this.#events.onCalls();
  }

  async #begin(inviter: Inviter, party: Party): Promise<void> {
    if (!this.#mayBegin()) return;
    const session = this.#open(inviter, party);
    this.#holdOthers(session);
    await this.#dial(session);
  }

  #mayBegin(): boolean {
    if (this.#online && this.#sessions.length < MAX_CALLS) return true;
    this.#events.onProblem(this.#online ? tooManyCalls(MAX_CALLS) : callProblem(0, '', '', false));
    return false;
  }

  async #dial(session: CallSession): Promise<void> {
    const microphone = await this.#microphone();
    if (microphone === undefined) session.hangUp();
    else if (session.isFinished) closeMicrophone(microphone);
    else await session.dial(microphone).catch(() => closeMicrophone(microphone));
  }

  /** The servers' credentials end, so both are asked for each time. */
  async #microphone(): Promise<MediaStream | undefined> {
    const [opened] = await Promise.all([openMicrophone(), this.#ice.refresh()]);
    if ('microphone' in opened) return opened.microphone;
    this.#events.onProblem(opened.problem);
    return undefined;
  }

  #find(id: string): CallSession | undefined {
    return this.#sessions.find(({ call }) => call.id === id);
  }

  #holdOthers(talking: CallSession): void {
    for (const session of this.#sessions) if (session !== talking) void session.setHeld(true);
  }

  #open(session: Inviter | Invitation, party: Party): CallSession {
    const opened = new CallSession(session, party, {
      onChange: () => this.#events.onCalls(),
      onEnd: (ended, end) => this.#ended(ended, end),
      onReferred: (from, referral) => void this.#follow(from, referral),
      onTransferFailed: (kept, to, status, reason) =>
        this.#events.onProblem(transferProblem(status, reason, to, this.#events.nameOf(kept.call.party))),
    });
    this.#sessions.push(opened);
    this.#events.onCalls();
    return opened;
  }

  #ended(ended: CallSession, end: CallEnd): void {
    this.#sessions = this.#sessions.filter((session) => session !== ended);
    if (ended.owesGoodbye) this.#unheard.push(ended);
    const { party } = ended.call;
    if (end.kind === 'missed') this.#events.onMissed(party);
    if (end.kind === 'elsewhere') this.#events.onElsewhere(party);
    if (end.kind === 'lost') this.#events.onProblem(lostCall(this.#events.nameOf(party)));
    if (end.kind === 'refused') this.#refused(ended.call, end);
    this.#handedOn.get(ended)?.setHandedOn(false);
    this.#handedOn.delete(ended);
    this.#events.onCalls();
  }

  #refused({ id, party }: Call, { status, reason, rang }: Extract<CallEnd, { kind: 'refused' }>): void {
    const who = this.#events.nameOf(party);
    if (this.#pickUps.delete(id)) this.#events.onProblem(pickUpProblem(status, reason, who));
    else if (status !== CANCELLED) this.#events.onProblem(callProblem(status, reason, who, rang));
  }

  /** RFC 3891 section 3: who names one of our calls by its tags takes its place at once. */
  #replace(invitation: Invitation, replaces: Replaces | undefined): void {
    const found = replaces && this.#sessions.find((session) => session.matches(replaces) !== undefined);
    const isTooLate = replaces?.earlyOnly === true && found?.matches(replaces) === 'confirmed';
    if (replaces === undefined) refuse(invitation, BAD_REQUEST);
    else if (found === undefined) refuse(invitation, NO_SUCH_CALL);
    else if (isTooLate) refuse(invitation, BUSY_HERE);
    else void this.#takeOver(invitation, found);
  }

  async #takeOver(invitation: Invitation, replaced: CallSession): Promise<void> {
    const microphone = await this.#microphone();
    if (microphone === undefined || replaced.isFinished) return refuse(invitation, UNAVAILABLE);
    const session = this.#open(invitation, callerOf(invitation));
    await session.answer(microphone).then(
      () => replaced.giveWay(),
      () => closeMicrophone(microphone),
    );
  }

  /** We are being transferred: the new call begins, the old one ends when its other side sees that it stands. */
  async #follow(from: CallSession, referral: Referral): Promise<void> {
    const { uri, displayName } = referral.referTo;
    if (uri.scheme !== 'sip' || !uri.user) return void referral.reject({ statusCode: DECLINED });
    if (this.#sessions.length >= MAX_CALLS) return void referral.reject({ statusCode: BUSY_HERE });
    void referral.accept();
    from.setHandedOn(true);
    const party = { displayName: displayName ?? '', uri: `sip:${uri.user}@${uri.host}` };
    const session = this.#open(referral.makeInviter(), party);
    this.#handedOn.set(session, from);
    await this.#dial(session);
  }
}

function refuse(invitation: Invitation, statusCode: number): void {
  void invitation.reject({ statusCode }).catch(() => undefined);
}

/** Who calls: as the server asserts it (RFC 3325), else as the caller says. */
function callerOf({ assertedIdentity, remoteIdentity }: Invitation): Party {
  const { displayName, uri } = assertedIdentity ?? remoteIdentity;
  return { displayName: displayName ?? '', uri: `sip:${uri.user ?? ''}@${uri.host}` };
}
