/** The panel, opened by a portal that hands it a token, in real Chromium. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalStack, startStack } from '../support/local-stack.ts';
import { launchBrowser, openPanel } from './browser.ts';

let stack: LocalStack;
let browser: Browser;
let portal: Server;
beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack(), launchBrowser()]);
  portal = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<h1>Portal</h1>'));
  await new Promise<void>((resolve) => portal.listen(0, '127.0.0.1', resolve));
}, 90_000);
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  portal?.close();
});

async function tokenFor(user: string, expiresSeconds: number): Promise<string> {
  const headers = { authorization: 'Bearer local-admin-key', 'content-type': 'application/json' };
  const body = JSON.stringify({ user, expiresSeconds });
  const response = await fetch(`${stack.apiUrl}/tenants/demo.example/tokens`, { method: 'POST', headers, body });
  return ((await response.json()) as { token: string }).token;
}

const addressOf = (token: string, user = '1003'): string =>
  `${stack.httpUrl()}#access_token=${token}&user=${user}&domain=demo.example`;
const lampOf = (page: Page, extension: string) =>
  page.waitForSelector(`.tile[data-extension="${extension}"][data-lamp="idle"]`);

test('a token in the address signs in without a word; it stays neither there nor in the browser', async () => {
  const token = await tokenFor('1003', 600);
  const panel = await openPanel(browser, addressOf(token));
  await panel.lamp('1001', 'idle');
  expect(await panel.page.locator('#account-name').innerText()).toBe('1003@demo.example');
  expect(panel.page.url()).toBe(stack.httpUrl());
  const kept = await panel.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(kept).not.toContain(token.split('.')[2]);
  expect(panel.complaints).toEqual([]);
  await panel.close();
});

test('a token that has ended is told, with what to do', async () => {
  const token = await tokenFor('1004', 1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const panel = await openPanel(browser, addressOf(token, '1004'));
  await panel.page.waitForSelector('#problem:not([hidden])');
  expect(await panel.page.locator('#problem').innerText()).toMatch(/sign-in has ended[\s\S]*portal/);
  await panel.close();
});

test('a new token is asked of the portal before the old one ends: the line stays', async () => {
  const context = await browser.newContext();
  const opener = await context.newPage();
  await opener.goto(`http://127.0.0.1:${(portal.address() as AddressInfo).port}/`);
  const renewed = await tokenFor('1005', 600);
  await opener.evaluate((token) => {
    const asked: unknown[] = [];
    Object.assign(window, { asked });
    addEventListener('message', ({ data, source, origin }) => {
      asked.push(data);
      (source as Window).postMessage({ type: 'lampfield.token', accessToken: token }, origin);
    });
  }, renewed);
  const [page] = await Promise.all([
    context.waitForEvent('page'),
    opener.evaluate((url) => void window.open(url), addressOf(await tokenFor('1005', 12), '1005')),
  ]);
  await lampOf(page, '1001');
  const asked = () => opener.evaluate(() => (window as unknown as { asked: unknown[] }).asked);
  await expect
    .poll(asked, { timeout: 10_000 })
    .toEqual([{ type: 'lampfield.tokenWanted', user: '1005', domain: 'demo.example' }]);
  // Well after the first token's end, with the time in which it could have been renewed.
  await page.waitForTimeout(20_000);
  expect(await page.locator('#connection').innerText()).toBe('Live');
  await page.locator('.tile[data-extension="1001"]').click();
  await lampOf(page, '1001');
  await context.close();
}, 90_000);

test('a page opens a WebSocket of its own with a token as a subprotocol', async () => {
  const panel = await openPanel(browser, stack.httpUrl());
  const opened = await panel.page.evaluate(
    ([url = '', token]) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(url, ['sip', `lampfield.token.${token}`]);
        socket.onopen = () => resolve(socket.protocol);
        socket.onerror = () => resolve('refused');
      }),
    [stack.url(), await tokenFor('1001', 60)],
  );
  expect(opened).toBe('sip');
  await panel.close();
});
