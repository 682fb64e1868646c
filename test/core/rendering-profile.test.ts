import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dialog } from '#core/dialog.ts';
import {
  applyProfile,
  chooseProfile,
  DEFAULT_PROFILE,
  decodeProfile,
  encodeProfile,
  PROFILE_CHOICES,
  type RenderingProfile,
} from '#core/rendering-profile.ts';

const profile = (more: Partial<RenderingProfile>): RenderingProfile => ({ ...DEFAULT_PROFILE, ...more });
const statesOf = (dialogs: readonly Dialog[], more: Partial<RenderingProfile>): string[] =>
  applyProfile(dialogs, profile(more)).map(({ id, state }) => `${id} ${state}`);

const RINGING: Dialog = { id: 'in', state: 'early', direction: 'recipient' };
const CALLING: Dialog = { id: 'out', state: 'early', direction: 'initiator' };
const TALKING: Dialog = { id: 'talk', state: 'confirmed', direction: 'recipient' };
const IDLE: Dialog = { id: '0000', state: 'terminated' };
const HELD: Dialog = {
  id: 'held',
  state: 'confirmed',
  local: { identity: { uri: 'sip:a@b' }, target: { uri: 'sip:a@c', params: [['+sip.rendering', 'no']] } },
};

describe('applyProfile', () => {
  it('changes nothing by default', () => {
    for (const dialogs of [[RINGING, CALLING, TALKING], [IDLE], [HELD]])
      expect(applyProfile(dialogs, DEFAULT_PROFILE)).toEqual(dialogs);
  });

  it('shows one dialog: the one that rings, or the one that talks', () => {
    expect(statesOf([CALLING, TALKING, RINGING], { dialogs: 'ringing-first' })).toEqual(['in early']);
    expect(statesOf([CALLING, TALKING, RINGING], { dialogs: 'busy-first' })).toEqual(['talk confirmed']);
    expect(statesOf([IDLE, { ...IDLE, id: '1' }], { dialogs: 'ringing-first' })).toEqual(['0000 terminated']);
  });

  it('shows the dialog that is asked for, or all of one INVITE, and nothing when there is none', () => {
    const named = (id: string, callId: string, remoteTag: string): Dialog => ({
      ...TALKING,
      id,
      callId,
      localTag: 'l',
      remoteTag,
    });
    const forks = [named('1', 'a b', 'r1'), named('2', 'a b', 'r2'), named('3', 'c', 'r1'), TALKING];
    const only = { callId: 'a b', localTag: 'l' };
    expect(statesOf(forks, { only })).toEqual(['1 confirmed', '2 confirmed']);
    expect(statesOf(forks, { only: { ...only, remoteTag: 'r2' } })).toEqual(['2 confirmed']);
    expect(statesOf(forks, { only: { ...only, localTag: 'x' } })).toEqual([]);
    expect(statesOf(forks, { only, identities: 'withheld', dialogs: 'busy-first' })).toEqual(['1 confirmed']);
  });

  it('says proceeding instead of early, as BroadWorks phones want it', () => {
    expect(statesOf([RINGING, CALLING, TALKING], { ringing: 'proceeding' })).toEqual([
      ...['in proceeding', 'out proceeding', 'talk confirmed'],
    ]);
  });

  it('shows the caller’s early dialog as confirmed, not the callee’s', () => {
    expect(statesOf([RINGING, CALLING], { callerEarly: 'confirmed' })).toEqual(['in early', 'out confirmed']);
  });

  it('shows nothing for an idle presentity where that is wanted', () => {
    expect(statesOf([IDLE], { idle: 'empty' })).toEqual([]);
    expect(statesOf([TALKING], { idle: 'empty' })).toEqual(['talk confirmed']);
  });

  it('turns a hold into a plain state, and takes the parameter away', () => {
    for (const hold of ['confirmed', 'early', 'terminated'] as const) {
      const [told] = applyProfile([HELD], profile({ hold }));
      expect(told?.state).toBe(hold);
      expect(told?.local?.target?.params).toEqual([]);
    }
  });

  it('withholds who talks, and what a pick-up would need', () => {
    const named: Dialog = {
      ...RINGING,
      ...{ callId: 'c', localTag: 'l', remoteTag: 'r', startedAtMs: 5, remote: { identity: { uri: 'sip:boss@x' } } },
      ...{ referredBy: { uri: 'sip:z@x' }, replaces: { callId: 'q', localTag: '1', remoteTag: '2' } },
    };
    expect(applyProfile([named], profile({ identities: 'withheld' }))).toEqual([{ ...RINGING, startedAtMs: 5 }]);
  });
});

describe('chooseProfile', () => {
  it.each([
    [undefined, {}],
    ['Yealink SIP-T54W 96.86.0.23', {}],
    ['Linksys/SPA962-6.1.5(a)', { dialogs: 'ringing-first', callerEarly: 'confirmed' }],
    ['Cisco/SPA962', { dialogs: 'ringing-first', callerEarly: 'confirmed' }],
    ['Gigaset N510 IP PRO/42.258', { ringing: 'proceeding', hold: 'confirmed' }],
    ['Technicolor TB30', { ringing: 'proceeding' }],
  ])('of %s', (userAgent, expected) => {
    expect(chooseProfile(userAgent, undefined, false)).toEqual(profile(expected as Partial<RenderingProfile>));
  });

  it('lets the tenant overrule what the User-Agent is known for', () => {
    const policy = {
      profile: { idle: 'empty', ringing: 'early' },
      userAgents: [{ userAgent: 'n510', profile: { documents: 'partial' } }],
    } as const;
    const chosen = chooseProfile('Gigaset N510', policy, false);
    expect(chosen).toEqual(profile({ idle: 'empty', ringing: 'early', hold: 'confirmed', documents: 'partial' }));
  });

  it('withholds nothing from the presentity itself and its publishers', () => {
    const policy = { profile: { identities: 'withheld' } } as const;
    expect(chooseProfile('x', policy, false).identities).toBe('withheld');
    expect(chooseProfile('x', policy, true).identities).toBe('shown');
  });
});

describe('encodeProfile', () => {
  const anyChoices = fc.record(
    Object.fromEntries(Object.entries(PROFILE_CHOICES).map(([name, values]) => [name, fc.constantFrom(...values)])),
  ) as unknown as fc.Arbitrary<RenderingProfile>;
  const name = fc.string({ unit: 'grapheme', minLength: 1 });
  const anyDialog = fc.record({ callId: name, localTag: name, remoteTag: name }, { requiredKeys: ['callId'] });
  const anyProfile = fc
    .tuple(anyChoices, fc.option(anyDialog, { nil: undefined }))
    .map(([choices, only]): RenderingProfile => (only === undefined ? choices : { ...choices, only }));

  it('is empty for the default and gives every profile back', () => {
    expect(encodeProfile(DEFAULT_PROFILE)).toBe('');
    return fc.assert(
      fc.property(anyProfile, (given) => {
        expect(decodeProfile(encodeProfile(given))).toEqual(given);
      }),
    );
  });

  it('leaves out what a later release wrote', () => {
    expect(decodeProfile('blinking=fast idle=empty hold=sideways')).toEqual(profile({ idle: 'empty' }));
  });

  it('never shows more than there is, and no live dialog that there is not', () => {
    const dialog = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      state: fc.constantFrom('trying', 'proceeding', 'early', 'confirmed', 'terminated'),
      direction: fc.constantFrom('initiator', 'recipient'),
    }) as fc.Arbitrary<Dialog>;
    const dialogs = fc.uniqueArray(dialog, { selector: ({ id }) => id, minLength: 1 });
    return fc.assert(
      fc.property(dialogs, anyChoices, (given, chosen) => {
        const told = applyProfile(given, chosen);
        const live = new Set(given.filter(({ state }) => state !== 'terminated').map(({ id }) => id));
        expect(told.length).toBeLessThanOrEqual(given.length);
        for (const { id, state } of told) if (state !== 'terminated') expect(live).toContain(id);
        if (live.size > 0) expect(told.length).toBeGreaterThan(0);
      }),
    );
  });
});
