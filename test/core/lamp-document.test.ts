import { expect, it } from 'vitest';
import type { Dialog } from '#core/dialog.ts';
import { dialogView } from '#core/dialog-view.ts';
import { LAMP_TYPE, renderLamp } from '#core/lamp-document.ts';
import { renderNotification } from '#core/notification.ts';
import { DEFAULT_PROFILE, encodeProfile } from '#core/rendering-profile.ts';

const T0 = 1_700_000_000_000;
const DIALOG: Dialog = {
  ...{ id: 'd1', callId: 'c1', localTag: 'l', remoteTag: 'r', direction: 'recipient', state: 'confirmed' },
  startedAtMs: T0,
  local: { identity: { uri: 'sip:1002@demo.example' } },
  remote: { identity: { uri: 'sip:ann@example.com', displayName: 'Ann' }, target: { uri: 'sip:a@b', params: [] } },
};
const lampOf = (dialogs: Dialog[], version = 7) => JSON.parse(renderLamp(dialogs, version)[0]);
const ADDRESS = { user: '1002', domain: 'demo.example' };
const view = (rendering = '') => ({ contentType: LAMP_TYPE, rendering });

it('says in JSON what the dialogs are', () => {
  expect(lampOf([DIALOG])).toEqual({
    ...{ state: 'busy', sequence: 7 },
    dialogs: [
      {
        ...{ id: 'd1', state: 'confirmed', direction: 'recipient', callId: 'c1', tags: { local: 'l', remote: 'r' } },
        local: { uri: 'sip:1002@demo.example' },
        remote: { uri: 'sip:ann@example.com', displayName: 'Ann', target: 'sip:a@b' },
        startedAt: '2023-11-14T22:13:20.000Z',
      },
    ],
  });
});

it('has no dialogs when all are over', () => {
  expect(lampOf([{ id: 'd1', state: 'terminated' }])).toEqual({ state: 'idle', dialogs: [], sequence: 7 });
});

it('is what a watcher of the dialog package gets who wants it, whole, and within what it may see', () => {
  const [before, after] = [dialogView([{ id: 'd1', state: 'early' }]), dialogView([DIALOG])];
  const partial = encodeProfile({ ...DEFAULT_PROFILE, documents: 'partial' });
  const told = renderNotification(after, ADDRESS, 9, view(partial), T0, before);
  expect([told.partial, JSON.parse(told.body[0])]).toMatchObject([undefined, { state: 'busy', sequence: 9 }]);
  const withheld = encodeProfile({ ...DEFAULT_PROFILE, identities: 'withheld' });
  const [dialog] = JSON.parse(renderNotification(after, ADDRESS, 9, view(withheld), T0).body[0]).dialogs;
  expect([dialog.state, dialog.remote, dialog.callId]).toEqual(['confirmed', undefined, undefined]);
});
