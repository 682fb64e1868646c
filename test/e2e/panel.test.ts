/** The panel in real Chromium against the real local stack. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type LocalStack, startStack } from '../support/local-stack.ts';
import { launchBrowser, openPanel, type Panel } from './browser.ts';
import { dialogXml, openPbx, type Pbx } from './pbx.ts';

let stack: LocalStack;
let browser: Browser;
let pbx: Pbx;
let panel: Panel;

beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack(), launchBrowser()]);
  pbx = await openPbx(stack.url());
});
afterAll(async () => {
  await pbx?.close();
  await browser?.close();
  await stack?.stop();
});
beforeEach(async () => {
  panel = await openPanel(browser, stack.httpUrl());
});
afterEach(async () => {
  expect(panel.complaints).toEqual([]);
  await panel.close();
});

const text = (selector: string) => panel.page.locator(selector).innerText();
const focused = () => panel.page.evaluate(() => document.activeElement?.getAttribute('data-extension'));

describe('signing in', () => {
  test('the local stack’s user is filled in, and one click shows ten free lamps', async () => {
    expect(await panel.page.inputValue('#user')).toBe('1001');
    expect(await panel.page.inputValue('#domain')).toBe('demo.example');
    await panel.screenshot('sign-in');
    await panel.signIn();
    await panel.lamp('1010', 'idle');
    expect(await panel.page.locator('.tile').count()).toBe(10);
    expect(await text('#connection')).toBe('Live');
    expect(await text('#account-name')).toBe('1001@demo.example');
  });

  test('a wrong password is told with what to check, and is not kept', async () => {
    await panel.signIn({ password: 'wrong' });
    await panel.page.waitForSelector('#problem:not([hidden])');
    expect(await text('#problem')).toMatch(/refused[\s\S]*Check the password[\s\S]*1001@demo\.example/);
    await panel.screenshot('wrong-password');
    await panel.signIn({ password: 'demo-1001' });
    await panel.lamp('1001', 'idle');
    expect(await panel.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain(
      'demo-1001',
    );
  });

  test('an unknown company is refused as a wrong password is', async () => {
    await panel.signIn({ domain: 'nobody.example' });
    await panel.page.waitForSelector('#problem:not([hidden])');
    expect(await text('#problem')).toMatch(/refused[\s\S]*1001@nobody\.example/);
  });

  test('without a network it says that the server cannot be reached', async () => {
    await panel.page.context().setOffline(true);
    await panel.signIn();
    await panel.page.waitForSelector('#problem:not([hidden])');
    expect(await text('#problem')).toMatch(/Cannot reach the server at 127\.0\.0\.1[\s\S]*Check your network/);
    await panel.page.context().setOffline(false);
    await panel.signIn();
    await panel.lamp('1001', 'idle');
  });

  test('what is missing is told before anything is sent', async () => {
    await panel.signIn({ password: '' });
    expect(await text('#problem')).toContain('password is missing');
    expect(await panel.page.getAttribute('#password', 'aria-invalid')).toBe('true');
  });

  test('signing out ends it; a reload remembers who, not the password', async () => {
    await panel.signIn({ user: '1002', password: 'demo-1002' });
    await panel.lamp('1001', 'idle');
    await panel.page.click('#sign-out');
    await panel.page.waitForSelector('#sign-in:not([hidden])');
    await panel.page.reload();
    expect(await panel.page.inputValue('#user')).toBe('1002');
    expect(await panel.page.inputValue('#password')).toBe('');
  });
});

describe('lamps', () => {
  test('a call goes idle, ringing, busy, on hold, idle, with party and time', async () => {
    await panel.signIn();
    await panel.lamp('1003', 'idle');
    const facts = { remoteName: 'Harbor Books', remote: '+12025550143', localName: 'Chiara Rossi' };
    expect(await pbx.publish('1003', dialogXml('1003', { ...facts, state: 'early' }))).toBe(200);
    await panel.lamp('1003', 'ringing');
    expect(await panel.tile('1003').innerText()).toMatch(/Chiara Rossi[\s\S]*Ringing[\s\S]*call from Harbor Books/);
    expect(await blinks('1003')).toBe(true);
    await panel.screenshot('ringing');
    await pbx.publish('1003', dialogXml('1003', { ...facts, state: 'confirmed' }));
    await panel.lamp('1003', 'busy');
    await panel.page.waitForFunction(() =>
      /0:0[1-9]/.test(document.querySelector('[data-extension="1003"] .tile-clock')?.textContent ?? ''),
    );
    await pbx.publish('1003', dialogXml('1003', { ...facts, state: 'confirmed', held: true }));
    await panel.lamp('1003', 'held');
    await pbx.publish('1003', dialogXml('1003', { ...facts, state: 'terminated' }));
    await panel.lamp('1003', 'idle');
    expect(await panel.tile('1003').getAttribute('aria-label')).toBe('1003 Chiara Rossi: Free');
  });

  test('of two calls the ringing one is shown, and the details list both', async () => {
    await panel.signIn();
    await panel.lamp('1004', 'idle');
    const talk = dialogXml('1004', {
      id: 'talk',
      state: 'confirmed',
      direction: 'initiator',
      remoteName: 'Ben Carter',
    });
    const waiting = dialogXml('1004', { id: 'waiting', state: 'early', remoteName: 'Lakeview Hotel' });
    await pbx.publish('1004', talk + waiting);
    await panel.lamp('1004', 'ringing');
    expect(await panel.tile('1004').innerText()).toMatch(/Lakeview Hotel[\s\S]*\+1/);
    await panel.tile('1004').click();
    expect(await panel.page.locator('#details .calls li').allInnerTexts()).toEqual([
      expect.stringMatching(/Lakeview Hotel[\s\S]*Incoming · ringing/),
      expect.stringMatching(/Ben Carter[\s\S]*Outgoing · in a call/),
    ]);
    await panel.screenshot('details');
    await pbx.publish('1004', dialogXml('1004', { state: 'terminated' }));
    await panel.lamp('1004', 'idle');
  });

  test('who wants less motion sees no blinking', async () => {
    const calm = await openPanel(browser, stack.httpUrl(), { reducedMotion: 'reduce', colorScheme: 'dark' });
    await calm.signIn();
    await pbx.publish('1006', dialogXml('1006', { state: 'early' }));
    await calm.lamp('1006', 'ringing');
    expect(await blinks('1006', calm)).toBe(false);
    await calm.screenshot('dark-reduced-motion');
    await calm.close();
    await pbx.publish('1006', dialogXml('1006', { state: 'terminated' }));
  });

  test('the list can be edited and is kept', async () => {
    await panel.signIn();
    await panel.lamp('1001', 'idle');
    await panel.page.click('#edit');
    expect(await panel.page.inputValue('#list-text')).toBe('1001-1010');
    await panel.page.fill('#list-text', '1012-1010');
    await panel.page.click('#list-form [type=submit]');
    expect(await text('#list-problem')).toContain('1012-1010');
    await panel.page.fill('#list-text', '1012, 1003');
    await panel.page.click('#list-form [type=submit]');
    await panel.lamp('1012', 'idle');
    expect(await panel.page.locator('.tile').count()).toBe(2);
    await panel.page.reload();
    await panel.signIn();
    await panel.lamp('1012', 'idle');
    expect(await panel.page.locator('.tile').count()).toBe(2);
  });
});

describe('keyboard', () => {
  test('one tab stop, arrows between lamps, digits jump, Enter opens and Escape closes the details', async () => {
    await panel.signIn();
    await panel.lamp('1010', 'idle');
    expect(await panel.page.locator('.tile[tabindex="0"]').count()).toBe(1);
    await panel.tile('1001').focus();
    await panel.page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('1002');
    await panel.page.keyboard.press('ArrowDown');
    expect(await focused()).toBe('1005');
    await panel.page.keyboard.press('End');
    expect(await focused()).toBe('1010');
    await panel.page.keyboard.type('1004');
    expect(await focused()).toBe('1004');
    await panel.page.keyboard.press('Enter');
    expect(await text('#details')).toContain('1004');
    await panel.page.keyboard.press('Escape');
    expect(await text('#details')).toContain('What the lamps say');
    expect(await focused()).toBe('1004');
  });
});

describe('a lost line', () => {
  test('the gateway dies: lamps are unknown; it comes back: they catch up with what they missed', async () => {
    await panel.signIn();
    await pbx.publish('1005', dialogXml('1005', { state: 'confirmed', remoteName: 'Ruby’s Bakery' }));
    await panel.lamp('1005', 'busy');
    const restarted = stack.restarted('gateway-1');
    stack.kill('gateway-1');
    await panel.lamp('1005', 'unknown');
    expect(await text('#connection')).toMatch(/Not connected|Connecting/);
    await panel.screenshot('unknown');
    await restarted;
    await panel.lamp('1005', 'busy', 20_000);
    expect(await text('#connection')).toBe('Live');
    const other = await openPbx(stack.url());
    await other.publish('1007', dialogXml('1007', { state: 'early' }));
    await panel.lamp('1007', 'ringing');
    await other.publish('1007', dialogXml('1007', { state: 'terminated' }));
    await panel.lamp('1007', 'idle');
    await other.close();
  });

  test('the browser goes offline and online again', async () => {
    await panel.signIn();
    await panel.lamp('1008', 'idle');
    await panel.page.context().setOffline(true);
    await panel.lamp('1008', 'unknown');
    await panel.page.context().setOffline(false);
    await panel.lamp('1008', 'idle', 20_000);
  });
});

async function blinks(extension: string, on: Panel = panel): Promise<boolean> {
  return on.tile(extension).evaluate((tile) => tile.getAnimations({ subtree: true }).length > 0);
}
