import { describe, expect, it } from 'vitest';
import type { Dialog } from '#core/dialog.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import { messagesOf, viewsChanged } from '#core/webhook-event.ts';

const T0 = 1_700_000_000_000;
const ADDRESS = { domain: 'demo.example', user: '1001' };
const REMOTE = { identity: { uri: 'sip:+495550100@pstn.example', displayName: 'Caller' } };

function busyWith(remote: Dialog['remote'], version = 7): Presentity {
  const dialog: Dialog = { id: 'd1', state: 'confirmed', direction: 'recipient', callId: 'c1', remote };
  const content = { kind: 'dialogs', live: [dialog], terminated: [], tombstones: [] } as const;
  const publication = { id: 'p', event: 'dialog', publisher: 'pbx', entityTag: 'e', expiresAtMs: T0 + 60_000 } as const;
  return {
    ...{ ...NO_STATE, version, changedAtMs: T0 },
    publications: [{ ...publication, updatedAtMs: T0, content }],
  };
}

const happening = (changed: ReturnType<typeof viewsChanged>, isDecidedAnew = false) => ({
  ...{ changed, isDecidedAnew, atMs: T0 },
});
const told = (...rest: Parameters<typeof messagesOf> extends [unknown, ...infer Rest] ? Rest : never) =>
  messagesOf('w1', ...rest).map(({ body }) => JSON.parse(body));

describe('a change', () => {
  it('shows in all views when the lamp is another', () => {
    expect(viewsChanged(NO_STATE, busyWith(REMOTE))).toEqual(
      expect.arrayContaining(['lamp_full', 'lamp_redacted', 'lamp_stateOnly', 'presence_full', 'presence_redacted']),
    );
  });

  it('of who is spoken to shows only to those who see identities', () => {
    const other = { identity: { uri: 'sip:+495550199@pstn.example' } };
    expect(viewsChanged(busyWith(REMOTE), busyWith(other))).toEqual(['lamp_full']);
  });

  it('of the version alone shows nowhere', () => {
    expect(viewsChanged(busyWith(REMOTE, 7), busyWith(REMOTE, 8))).toEqual([]);
  });
});

describe('a message', () => {
  const busy = busyWith(REMOTE);
  const changed = viewsChanged(NO_STATE, busy);

  it('is the lamp as the JSON stream has it, with its user, and the same for the same state', () => {
    const [message] = told(['lamp'], ADDRESS, busy, 'full', happening(changed));
    expect(message).toEqual({
      ...{ type: 'lamp', timestamp: new Date(T0).toISOString(), tenant: 'demo.example' },
      data: {
        ...{ user: '1001', state: 'busy', sequence: 7 },
        dialogs: [
          {
            ...{ id: 'd1', state: 'confirmed', direction: 'recipient', callId: 'c1' },
            remote: { uri: 'sip:+495550100@pstn.example', displayName: 'Caller' },
          },
        ],
      },
    });
    const ids = [7, 7, 8].map((version) => {
      const [first] = messagesOf('w1', ['lamp'], ADDRESS, busyWith(REMOTE, version), 'full', happening(changed));
      return first?.id;
    });
    expect(ids[0]).toMatch(/^msg_[\w-]{22}$/);
    expect([ids[0] === ids[1], ids[0] === ids[2]]).toEqual([true, false]);
  });

  it('tells presence and messages as JSON, each under its own type', () => {
    const messages = told(['presence', 'messages'], ADDRESS, busy, 'full', happening([], true));
    expect(messages.map(({ type, data }) => [type, data])).toEqual([
      ['presence', { user: '1001', basic: 'open', activities: ['on-the-phone'], notes: ['On the phone'], sequence: 7 }],
      ['messages', { user: '1001', waiting: false, counts: { 'Voice-Message': { new: 0, old: 0 } }, sequence: 7 }],
    ]);
  });

  it('has no identities for who may not see them, and is not sent for a change that does not show', () => {
    const [message] = told(['lamp'], ADDRESS, busy, 'redacted', happening(changed));
    expect(message?.data).toMatchObject({ user: '1001', state: 'busy' });
    expect(JSON.stringify(message)).not.toContain('5550100');
    expect(told(['lamp'], ADDRESS, busy, 'redacted', happening(['lamp_full']))).toEqual([]);
    expect(told(['presence'], ADDRESS, busy, 'full', happening(['lamp_full']))).toEqual([]);
  });

  it('is never sent of what is hidden, but once when that was decided', () => {
    for (const access of ['polite', 'blocked', 'pending'] as const)
      expect(told(['lamp'], ADDRESS, busy, access, happening(changed))).toEqual([]);
    expect(told(['lamp'], ADDRESS, busy, 'polite', happening([], true))).toMatchObject([
      { type: 'lamp', data: { user: '1001', state: 'idle', dialogs: [] } },
    ]);
    for (const access of ['blocked', 'pending'] as const)
      expect(told(['lamp'], ADDRESS, busy, access, happening([], true))).toMatchObject([
        { type: 'ended', data: { user: '1001', reason: 'rejected', sequence: 7 } },
      ]);
  });
});
