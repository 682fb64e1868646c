/** Real Chromium for the panel's tests. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';

const OUTPUT = path.resolve(import.meta.dirname, '../output');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--disable-software-rasterizer',
  '--renderer-process-limit=1',
];

/** The browser's own lines about a gateway that is down and a network that is off. */
const EXPECTED = /^WebSocket connection|net::ERR_INTERNET_DISCONNECTED$/;

/** A microphone that beeps, and a browser that asks nobody before it gives it. */
export const FAKE_MICROPHONE = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

export function launchBrowser(extraArgs: readonly string[] = []): Promise<Browser> {
  mkdirSync(OUTPUT, { recursive: true });
  return chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...extraArgs] });
}

export interface Panel {
  readonly page: Page;
  /** What the page complained about: script errors and violations of its security policy. */
  readonly complaints: string[];
  tile(extension: string): Locator;
  /** Resolves when the lamp of this extension is in this state. */
  lamp(extension: string, state: string, withinMs?: number): Promise<void>;
  signIn(credentials?: { user?: string; domain?: string; password?: string }): Promise<void>;
  screenshot(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface PanelOptions {
  readonly colorScheme?: 'light' | 'dark';
  readonly reducedMotion?: 'reduce' | 'no-preference';
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly permissions?: string[];
  /** Runs in the page before its own script. */
  readonly script?: () => void;
}

/** Pages of closed panels by their options: a new one, with a process of its own, costs three quarters of a page's CPU. */
const idle: { readonly browser: Browser; readonly options: string; readonly page: Page }[] = [];

async function newPage(browser: Browser, options: BrowserContextOptions, script?: () => void): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  if (script !== undefined) await page.addInitScript(script);
  return page;
}

/** Opens the panel in a browser context that no other page is in, with nothing kept from before. */
export async function openPanel(browser: Browser, url: string, options: PanelOptions = {}): Promise<Panel> {
  const { script, ...rest } = options;
  const contextOptions = { viewport: { width: 1280, height: 720 }, ...rest };
  const key = JSON.stringify({ ...contextOptions, script: String(script) });
  const at = idle.findIndex((each) => each.browser === browser && each.options === key);
  const [kept] = at < 0 ? [] : idle.splice(at, 1);
  const page = kept?.page ?? (await newPage(browser, contextOptions, script));
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !EXPECTED.test(text)) complaints.push(text);
  });
  await page.goto(url);
  const tile = (extension: string) => page.locator(`.tile[data-extension="${extension}"]`);
  return {
    page,
    complaints,
    tile,
    async lamp(extension, state, withinMs = 10_000) {
      await page.waitForSelector(`.tile[data-extension="${extension}"][data-lamp="${state}"]`, { timeout: withinMs });
    },
    async signIn(credentials = {}) {
      for (const [name, value] of Object.entries(credentials)) await page.fill(`#${name}`, value);
      await page.click('#submit');
    },
    screenshot: async (name) => {
      await page.screenshot({ path: path.join(OUTPUT, `${name}.png`) });
    },
    async close() {
      page.removeAllListeners();
      await page.context().setOffline(false);
      if (page.url().startsWith('http')) await page.evaluate(() => [localStorage.clear(), sessionStorage.clear()]);
      await page.goto('about:blank');
      idle.push({ browser, options: key, page });
    },
  };
}
