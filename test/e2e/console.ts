/** The console in real Chromium, for its tests. */
import type { Browser } from 'playwright-core';
import { expect } from 'vitest';
import { openPanel, type Panel, type PanelOptions } from './browser.ts';

export interface Console extends Panel {
  /** With a key, into the form. */
  enter(key: string): Promise<void>;
  /** To a place, by the fragment of the address. */
  go(place: string): Promise<void>;
  /** Resolves when the page says so somewhere. */
  says(text: RegExp, withinMs?: number): Promise<void>;
  /** What the open dialog is called. */
  dialog(): Promise<string>;
  /** Fills fields of the open dialog by their name, and sends it. */
  send(values?: Readonly<Record<string, string>>): Promise<void>;
  press(name: string): Promise<void>;
}

/** For a machine that is busy with other tests. */
export const SOON = { timeout: 15_000 };

/** The browser's own line about an answer that the page shows in its words. */
const REFUSED = /^Failed to load resource: the server responded with a status of 4\d\d/;

export async function openConsole(browser: Browser, gatewayUrl: string, options: PanelOptions = {}): Promise<Console> {
  const panel = await openPanel(browser, `${gatewayUrl}admin`, options);
  const { page, complaints } = panel;
  return {
    ...panel,
    get complaints() {
      return complaints.filter((text) => !REFUSED.test(text));
    },
    async enter(key) {
      await page.fill('#key', key);
      await page.click('#submit');
    },
    async go(place) {
      await page.evaluate((hash) => {
        location.hash = hash;
      }, place);
    },
    says: (text, timeout = SOON.timeout) =>
      expect.poll(() => page.locator('body').innerText(), { timeout }).toMatch(text),
    dialog: () => page.locator('dialog h2').last().innerText(),
    async send(values = {}) {
      const dialog = page.locator('dialog').last();
      for (const [name, value] of Object.entries(values)) await dialog.locator(`[name="${name}"]`).fill(value);
      await dialog.locator('[type=submit]').click();
    },
    press: (name) => page.getByRole('button', { name, exact: true }).click(),
  };
}

/** The HTTP API as a program uses it. */
export function apiOf(url: string, key: string) {
  return async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
}
