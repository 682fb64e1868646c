import { describe, expect, it } from 'vitest';
import type { Dialog } from '#core/dialog.ts';
import { EVENT_PACKAGES } from '#core/event-package.ts';
import { entityTagOf, notificationOf, seenBy } from '#core/notification.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import type { Publication } from '#core/publication.ts';
import { WATCH_ACCESSES } from '#core/watch-policy.ts';
import { accessOf, profileOf, withAccess } from '#core/watch-view.ts';
import { T0 } from '#test/support/envelope.ts';

const ADDRESS = { domain: 'demo.example', user: '1002' };
const SECRET = 'sip:rival@elsewhere.example';
const RINGING: Dialog = {
  ...{ id: 'd1', callId: 'secret-call', localTag: 'secret-l', remoteTag: 'secret-r', direction: 'recipient' },
  ...{ state: 'early', local: { identity: { uri: 'sip:1002@demo.example' } } },
  remote: { identity: { uri: SECRET, displayName: 'Rival' }, target: { uri: SECRET, params: [] } },
};
const known = { publisher: 'sip:pbx@demo.example', entityTag: 't', updatedAtMs: T0, expiresAtMs: T0 + 60_000 };
const publications: Publication[] = [
  { ...known, id: '1', event: 'dialog', content: { kind: 'dialogs', live: [RINGING], terminated: [], tombstones: [] } },
  {
    ...{ ...known, id: '2', event: 'presence' },
    content: {
      kind: 'presence',
      presence: {
        tuples: [
          {
            ...{ id: 'secret-desk', basic: 'open', notes: ['secret note'], statusExtensions: [] },
            ...{ contact: { uri: SECRET }, extensions: [] },
          },
        ],
        ...{ notes: ['secret'], activities: [{ namespace: '', name: 'meeting', text: 'secret' }] },
        ...{ personNotes: ['secret'], personExtensions: [], extensions: [] },
      },
    },
  },
  {
    ...{ ...known, id: '3', event: 'message-summary' },
    content: {
      kind: 'messages',
      summary: {
        ...{ isWaiting: true, account: SECRET, counts: { 'Voice-Message': { newMessages: 3, oldMessages: 4 } } },
      },
    },
  },
];
const PRESENTITY: Presentity = { version: 7, changedAtMs: T0, registered: true, publications };
const OF_STATE = EVENT_PACKAGES.filter(({ access }) => access === 'tenant');

describe('the text of a view', () => {
  it('is empty for full access in the default profile, and can be read again', () => {
    expect(withAccess('', 'full')).toBe('');
    for (const access of WATCH_ACCESSES)
      for (const profile of ['', 'documents=partial hold=early']) {
        const text = withAccess(profile, access);
        expect([profileOf(text), accessOf(text)]).toEqual([profile, access]);
      }
  });

  it('shows nothing where it says what is not known', () => {
    expect(accessOf('access=later')).toBe('polite');
  });
});

describe('what a watcher is told by its access', () => {
  const bodyOf = (event: string, access: (typeof WATCH_ACCESSES)[number], profile = '', presentity = PRESENTITY) => {
    const eventPackage = EVENT_PACKAGES.find(({ name }) => name === event);
    if (eventPackage === undefined) throw new Error(event);
    const view = { contentType: eventPackage.notifiedTypes[0], rendering: withAccess(profile, access) };
    return notificationOf(eventPackage, ADDRESS, presentity, view, T0);
  };

  it('covers every package that is not the owner’s alone', () => {
    expect(OF_STATE.map(({ name }) => name)).toEqual(['dialog', 'presence', 'message-summary']);
    for (const { name } of OF_STATE) expect(bodyOf(name, 'full').body.join('')).toMatch(/secret|rival/);
  });

  it.each(['redacted', 'stateOnly'] as const)('%s: the state, and nothing that tells who', (access) => {
    for (const { name } of OF_STATE) expect(bodyOf(name, access).body.join('')).not.toMatch(/secret|rival/i);
    expect(bodyOf('dialog', access).body.join('')).toContain('<state>early</state>');
    expect(bodyOf('presence', access).body.join('')).toContain('open');
    expect(bodyOf('message-summary', access).body.join('')).toContain('Messages-Waiting: yes');
  });

  it('redacted keeps direction, activities and counts, stateOnly does not', () => {
    expect(bodyOf('dialog', 'redacted').body.join('')).toContain('direction="recipient"');
    expect(bodyOf('dialog', 'stateOnly').body.join('')).not.toContain('direction');
    expect(bodyOf('presence', 'redacted').body.join('')).toContain('meeting');
    expect(bodyOf('presence', 'stateOnly').body.join('')).not.toContain('meeting');
    expect(bodyOf('message-summary', 'redacted').body.join('')).toContain('3/4');
    expect(bodyOf('message-summary', 'stateOnly').body.join('')).not.toContain('3/4');
  });

  it.each(['polite', 'pending', 'blocked'] as const)(
    '%s: byte for byte what somebody who does nothing shows, entity-tag too',
    (access) => {
      for (const { name } of OF_STATE)
        for (const profile of ['', 'idle=empty', 'documents=partial', 'identities=withheld']) {
          const { presentityVersion: _, ...hidden } = bodyOf(name, access, profile);
          const { presentityVersion: _none, ...idle } = bodyOf(name, 'full', profile, NO_STATE);
          expect(hidden).toEqual(idle);
        }
    },
  );

  it('changes for a hidden watcher never', () => {
    for (const eventPackage of OF_STATE) {
      const view = { contentType: eventPackage.notifiedTypes[0], rendering: 'access=polite' };
      const tags = [PRESENTITY, NO_STATE, { ...NO_STATE, registered: true }].map((presentity) =>
        entityTagOf(view, seenBy(view, eventPackage.compose(presentity, T0))),
      );
      expect(new Set(tags).size).toBe(1);
    }
  });
});
