/** A panel that telephones: its calls, and what its audio really does. */
import type { Browser, Locator } from 'playwright-core';
import { expect } from 'vitest';
import { openPanel, type Panel, type PanelOptions } from './browser.ts';

export interface Phone extends Panel {
  readonly extension: string;
  /** The button over a colleague's lamp. */
  lampButton(extension: string): Locator;
  readonly card: Locator;
  button(name: string): Locator;
  /** Resolves when the cards of its calls say this. */
  says(words: RegExp): Promise<void>;
  /** Resolves when no call is left. */
  idle(): Promise<void>;
  /** Resolves when the notices say this. */
  notices(words: RegExp): Promise<void>;
  /** RTP packets that have come in over the connections that are open now. */
  packets(): Promise<number>;
  /** Resolves when packets come in. */
  hears(): Promise<void>;
  /** How many tones have been played so far. */
  tones(): Promise<number>;
}

interface Watched {
  readonly peers: RTCPeerConnection[];
  tones: number;
}

/** In the page: keeps an eye on connections and tones. */
function watchMedia(): void {
  const watched: Watched = { peers: [], tones: 0 };
  Object.assign(window, { watched });
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      watched.peers.push(this);
    }
  };
  const start = AudioScheduledSourceNode.prototype.start;
  AudioScheduledSourceNode.prototype.start = function (when?: number): void {
    watched.tones += 1;
    start.call(this, when);
  };
}

/** A busy machine runs three pages slowly. */
export const SOON = { timeout: 15_000 };

/** Signs a user in, on a page of its own. */
export async function openPhone(
  browser: Browser,
  url: string,
  extension: string,
  { company = 'demo', ...options }: PanelOptions & { readonly company?: string } = {},
): Promise<Phone> {
  const panel = await openPanel(browser, url, { permissions: ['microphone'], script: watchMedia, ...options });
  const { page } = panel;
  await panel.signIn({ user: extension, domain: `${company}.example`, password: `${company}-${extension}` });
  await page.waitForFunction(() => {
    const lamps = [...document.querySelectorAll<HTMLElement>('.tile')].map(({ dataset }) => dataset.lamp);
    return lamps.length > 0 && !lamps.includes('unknown');
  });
  const card = page.locator('.call-card');
  const packets = () =>
    page.evaluate(async () => {
      const { peers } = (window as unknown as { watched: Watched }).watched;
      const open = peers.filter(({ connectionState }) => connectionState === 'connected');
      const reports = await Promise.all(open.map((peer) => peer.getStats()));
      const incoming = reports.flatMap((report) => [...report.values()].filter(({ type }) => type === 'inbound-rtp'));
      return incoming.reduce((sum, { packetsReceived }) => sum + packetsReceived, 0);
    });
  return {
    ...panel,
    extension,
    card,
    packets,
    lampButton: (other) => page.locator(`.lamp-button[data-lamp-of="${other}"]`),
    button: (name) => card.getByRole('button', { name, exact: true }),
    says: (words) => expect.poll(async () => (await card.allInnerTexts()).join('\n'), SOON).toMatch(words),
    idle: () => expect.poll(() => card.count(), SOON).toBe(0),
    notices: (words) => expect.poll(() => page.locator('#notices').innerText(), SOON).toMatch(words),
    async hears() {
      await expect.poll(packets, SOON).toBeGreaterThan(0);
      const before = await packets();
      await expect.poll(packets, SOON).toBeGreaterThan(before + 10);
    },
    tones: () => page.evaluate(() => (window as unknown as { watched: Watched }).watched.tones),
  };
}
