import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dialog } from '#core/dialog.ts';
import { parseDialogInfo } from '#core/dialog-info.ts';
import { changesSince, dialogView } from '#core/dialog-view.ts';
import { renderNotification } from '#core/notification.ts';

const T0 = 1_700_000_000_000;
const ENTITY = 'sip:1002@demo.example';
const ADDRESS = { domain: 'demo.example', user: '1002' };
const TYPE = 'application/dialog-info+xml';
const dialog = (id: string, state: Dialog['state'], more: Partial<Dialog> = {}): Dialog => ({ id, state, ...more });

describe('a partial document (RFC 4235 section 4.3)', () => {
  it('has what is new, what changed and what is gone, nothing else', () => {
    const before = [dialog('a', 'confirmed', { code: 200 }), dialog('b', 'early'), dialog('c', 'confirmed')];
    const after = [dialog('a', 'confirmed', { code: 200 }), dialog('b', 'confirmed'), dialog('d', 'early')];
    expect(changesSince(before, after)).toEqual([
      ...[dialog('b', 'confirmed'), dialog('d', 'early'), dialog('c', 'terminated')],
    ]);
  });

  it('does not count the passing of time as a change', () => {
    expect(
      changesSince([dialog('a', 'early', { startedAtMs: 1 })], [dialog('a', 'early', { startedAtMs: 2 })]),
    ).toEqual([]);
  });

  it('says that it is one', () => {
    const body = dialogView([dialog('a', 'early')])
      .renderSince?.(dialogView([]), ENTITY, T0)
      ?.join('7');
    expect(parseDialogInfo(body ?? '', T0)).toMatchObject({ state: 'partial', dialogs: [{ id: 'a', state: 'early' }] });
    expect(body).toContain('version="7" state="partial"');
    expect(dialogView([]).renderSince?.(dialogView([]), ENTITY, T0)).toBeUndefined();
  });

  it('on top of the document before it is the document after it, whatever happens in between', () => {
    const states = ['trying', 'proceeding', 'early', 'confirmed', 'terminated'] as const;
    const any = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), state: fc.constantFrom(...states) });
    const view = fc.uniqueArray(any, { selector: ({ id }) => id });
    const live = (shown: ReadonlyMap<string, string>) =>
      [...shown].filter(([, state]) => state !== 'terminated').sort();
    return fc.assert(
      fc.property(fc.array(view, { minLength: 2, maxLength: 8 }), (views) => {
        const shown = new Map<string, string>(views[0]?.map(({ id, state }) => [id, state]));
        for (let i = 1; i < views.length; i++) {
          for (const { id, state } of changesSince(views[i - 1] ?? [], views[i] ?? [])) shown.set(id, state);
          expect(live(shown)).toEqual(live(new Map(views[i]?.map(({ id, state }) => [id, state]))));
        }
      }),
    );
  });
});

describe('renderNotification', () => {
  const [idle, ringing] = [dialogView([dialog('0', 'terminated')]), dialogView([dialog('a', 'early')])];
  const partial = { contentType: TYPE, rendering: 'documents=partial' };

  it('adds the difference for watchers of partial documents only', () => {
    const plain = renderNotification(ringing, ADDRESS, 2, { contentType: TYPE, rendering: '' }, T0, idle);
    expect(plain.partial).toBeUndefined();
    const before = renderNotification(idle, ADDRESS, 1, partial, T0);
    const after = renderNotification(ringing, ADDRESS, 2, partial, T0, idle);
    expect(before.partial).toBeUndefined();
    expect(after.partial?.base).toBe(before.entityTag);
    expect(after.body.join('')).toContain('state="full"');
    expect(after.partial?.body.join('')).toContain('state="partial"');
  });

  it('gives the same entity-tag to what looks the same, and another to what does not (RFC 5839)', () => {
    const tag = (state: typeof idle, rendering = '') =>
      renderNotification(state, ADDRESS, 1, { contentType: TYPE, rendering }, T0).entityTag;
    expect(tag(ringing)).toBe(tag(dialogView([dialog('a', 'early', { startedAtMs: 9 })])));
    expect(new Set([tag(ringing), tag(idle), tag(ringing, 'ringing=proceeding')]).size).toBe(3);
  });
});
