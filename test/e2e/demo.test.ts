/** `npm run demo`: a newcomer opens the panel and sees it move. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_DEFAULTS, runDemo } from '#cdk/local/demo.ts';
import { type LocalStack, startStack } from '../support/local-stack.ts';
import { launchBrowser, openPanel } from './browser.ts';

let stack: LocalStack;
let browser: Browser;

beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack({ args: ['--demo'] }), launchBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
});

test('lamps of named people move, and go on moving after the gateway was killed', async () => {
  const { page, signIn, screenshot } = await openPanel(browser, stack.httpUrl());
  const called = () => page.locator('.tile[data-lamp=busy], .tile[data-lamp=ringing]').first().waitFor();
  await signIn();
  await page.getByText('Amara Okafor').first().waitFor();
  await called();
  await screenshot('demo');
  const restarted = stack.restarted('gateway-1');
  stack.kill('gateway-1');
  await page.waitForSelector('.tile[data-lamp=unknown]');
  await restarted;
  await called();
  const board = () => page.locator('#lamps').innerHTML();
  const before = await board();
  await expect.poll(board, { timeout: 15_000 }).not.toBe(before);
}, 60_000);

test('a publisher that is refused says so instead of trying for ever', async () => {
  const options = { ...DEMO_DEFAULTS, url: stack.url(), password: 'wrong' };
  await expect(runDemo(options, AbortSignal.timeout(20_000))).rejects.toThrow('401');
});
