/** Calls between panels: real Chromium pages with fake microphones, against the real local stack with two gateways. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LocalStack, startStack } from '../support/local-stack.ts';
import { FAKE_MICROPHONE, launchBrowser } from './browser.ts';
import { openPhone, type Phone, SOON } from './phone.ts';

let stack: LocalStack;
let browser: Browser;
const phones: Phone[] = [];

beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack({ gateways: 2 }), launchBrowser(FAKE_MICROPHONE)]);
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
});
afterEach(async () => {
  const complaints = phones.flatMap(({ complaints }) => complaints);
  await Promise.all(phones.splice(0).map((phone) => phone.close()));
  expect(complaints).toEqual([]);
});

/** The first and the third on one gateway, the second on the other. */
async function open(...extensions: string[]): Promise<Phone[]> {
  const opened = await Promise.all(
    extensions.map((extension, index) => openPhone(browser, stack.httpUrl(index % 2), extension)),
  );
  phones.push(...opened);
  return opened;
}

async function two(first: string, second: string): Promise<[Phone, Phone]> {
  const [a, b] = await open(first, second);
  if (a === undefined || b === undefined) throw new Error('two pages were asked for');
  return [a, b];
}

async function three(first: string, second: string, third: string): Promise<[Phone, Phone, Phone]> {
  const [a, b, c] = await open(first, second, third);
  if (a === undefined || b === undefined || c === undefined) throw new Error('three pages were asked for');
  return [a, b, c];
}

/** Calls by a press on the lamp, and accepts. */
async function connect(caller: Phone, callee: Phone): Promise<void> {
  await caller.lampButton(callee.extension).click();
  await callee.says(/Incoming call/);
  await callee.button('Accept').click();
  await Promise.all([caller.says(/In a call/), callee.says(/In a call/)]);
}

const hangsUp = async (phone: Phone, ...others: Phone[]): Promise<void> => {
  await phone.button('Hang up').click();
  await Promise.all([phone, ...others].map((each) => each.idle()));
};

describe('a call', () => {
  test('press a lamp, it rings there and blinks for a third, accept, talk, hang up', async () => {
    const [ada, ben, cleo] = await three('1001', '1002', '1003');
    await ada.lampButton('1002').click();
    await ben.says(/1001[\s\S]*Incoming call/);
    await ada.says(/1002[\s\S]*Ringing/);
    await Promise.all([cleo.lamp('1002', 'ringing'), cleo.lamp('1001', 'busy')]);
    await expect.poll(() => ben.tones(), SOON).toBeGreaterThan(0);
    expect(await ben.page.title()).toContain('Call from');
    await ben.screenshot('call-incoming');
    await ben.button('Accept').click();
    await Promise.all([ada.says(/In a call/), ben.says(/In a call/), cleo.lamp('1002', 'busy')]);
    await Promise.all([ada.hears(), ben.hears()]);
    expect(await cleo.tile('1002').innerText()).toMatch(/In a call/);
    await ada.screenshot('call-talking');
    const tones = await ben.tones();
    await hangsUp(ada, ben);
    await Promise.all([cleo.lamp('1001', 'idle'), cleo.lamp('1002', 'idle')]);
    expect(await ben.tones()).toBe(tones);
    expect(await ben.page.title()).toBe('Lampfield');
  });

  test('by keyboard alone: Shift+Enter on a tile calls, Alt+A accepts, Alt+M mutes, Alt+H holds, Alt+X hangs up', async () => {
    const [ada, ben] = await two('1001', '1002');
    await ada.tile('1002').focus();
    await ada.page.keyboard.press('Shift+Enter');
    await ben.says(/Incoming call/);
    await expect
      .poll(() => ben.page.locator('#urgent-announcer').innerText(), SOON)
      .toMatch(/Call from .*Alt\+A accepts/);
    await ben.page.keyboard.press('Alt+a');
    await ada.says(/In a call/);
    await ada.page.keyboard.press('Alt+m');
    await ada.says(/microphone is off[\s\S]*Unmute/);
    await ada.page.keyboard.press('Alt+m');
    await ada.page.keyboard.press('Alt+h');
    await ben.says(/other side holds/);
    await ben.page.keyboard.press('Alt+x');
    await Promise.all([ada.idle(), ben.idle()]);
  });

  test('hold stops the audio both ways, resume brings it back', async () => {
    const [ada, ben] = await two('1001', '1002');
    await connect(ada, ben);
    await ben.hears();
    await ada.button('Hold').click();
    await ada.says(/On hold[\s\S]*Resume/);
    await ben.says(/other side holds/);
    const held = await ada.packets();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await ada.packets()) - held).toBeLessThan(10);
    await ada.button('Resume').click();
    await Promise.all([ada.says(/In a call/), ben.says(/In a call/)]);
    await Promise.all([ada.hears(), ben.hears()]);
    await hangsUp(ben, ada);
  });

  test('dialled by name or number; a wrong one is told', async () => {
    const [ada, ben] = await two('1001', '1002');
    await ada.page.fill('#dial-text', '1 2 !');
    await ada.page.press('#dial-text', 'Enter');
    expect(await ada.page.locator('#dial-problem').innerText()).toContain('no extension');
    await ada.page.fill('#dial-text', '1002');
    await ada.page.press('#dial-text', 'Enter');
    await ben.says(/Incoming call/);
    await ben.button('Accept').click();
    await ada.hears();
    await hangsUp(ada, ben);
  });

  test('a page that is closed in mid-call ends the call', async () => {
    const [ada, ben] = await two('1001', '1002');
    await connect(ada, ben);
    await ada.page.goto('about:blank');
    await ben.idle();
    await ben.lamp('1001', 'idle');
  });
});

describe('a call that does not come about', () => {
  test('declined', async () => {
    const [ada, ben] = await two('1001', '1002');
    await ada.lampButton('1002').click();
    await ben.button('Decline').click();
    await ada.idle();
    await ada.notices(/declined/);
    await ben.idle();
  });

  test('cancelled: the other side has missed it, and can call back', async () => {
    const [ada, ben] = await two('1001', '1002');
    await ada.lampButton('1002').click();
    await ben.says(/Incoming call/);
    await ada.button('Cancel').click();
    await Promise.all([ada.idle(), ben.idle()]);
    await ben.notices(/Missed call from/);
    await ben.screenshot('call-missed');
    await ben.page.getByRole('button', { name: 'Call back' }).click();
    await ada.says(/Incoming call/);
    await ada.button('Decline').click();
  });

  test('nobody is signed in there, or there is nobody', async () => {
    const [ada] = await open('1001');
    if (ada === undefined) throw new Error('a page was asked for');
    await ada.lampButton('1009').click();
    await ada.notices(/cannot be reached/);
    await ada.page.fill('#dial-text', '4711');
    await ada.page.press('#dial-text', 'Enter');
    await ada.notices(/does not exist/);
  });

  test('the microphone is refused: it says so before anything rings', async () => {
    const deaf = await launchBrowser(['--use-fake-device-for-media-stream']);
    try {
      const [ben] = await open('1002');
      const ada = await openPhone(deaf, stack.httpUrl(), '1001', { permissions: [] });
      await ada.lampButton('1002').click();
      await ada.notices(/microphone was refused[\s\S]*Allow/);
      await ada.screenshot('call-microphone-refused');
      await ada.idle();
      expect(await ben?.card.count()).toBe(0);
      await ben?.lampButton('1001').click();
      await ada.says(/Incoming call/);
      await ada.button('Accept').click();
      await ada.notices(/microphone was refused/);
      await ada.says(/Incoming call/);
      await ben?.button('Cancel').click();
      await ada.idle();
      expect(ada.complaints).toEqual([]);
    } finally {
      await deaf.close();
    }
  });
});

describe('more than two', () => {
  test('a second call waits beside the first; accepting it holds the first', async () => {
    const [ada, ben, cleo] = await three('1001', '1002', '1003');
    await connect(ada, ben);
    await cleo.lamp('1002', 'busy');
    await cleo.lampButton('1002').click();
    await expect.poll(() => ben.card.count(), SOON).toBe(2);
    await ben.button('Accept').click();
    await cleo.says(/In a call/);
    await ada.says(/other side holds/);
    await expect.poll(() => ben.card.first().innerText(), SOON).toMatch(/On hold/);
    await ben.screenshot('call-waiting');
    await cleo.hears();
    await cleo.button('Hang up').click();
    await expect.poll(() => ben.card.count(), SOON).toBe(1);
    await ben.button('Resume').click();
    await ada.says(/In a call/);
    await hangsUp(ada, ben);
  });

  test('a third picks up a lamp that blinks', async () => {
    const [ada, ben, cleo] = await three('1001', '1002', '1003');
    await ada.lampButton('1002').click();
    await ben.says(/Incoming call/);
    await cleo.lamp('1002', 'ringing');
    await expect.poll(() => cleo.lampButton('1002').getAttribute('aria-label'), SOON).toMatch(/^Pick up/);
    await cleo.screenshot('call-pick-up');
    await cleo.lampButton('1002').click();
    await Promise.all([ada.says(/1003[\s\S]*In a call/), cleo.says(/1001[\s\S]*In a call/), ben.idle()]);
    await Promise.all([ada.hears(), cleo.hears()]);
    expect(await ben.page.locator('#notices').innerText()).not.toMatch(/Missed/);
    await Promise.all([ben.lamp('1001', 'busy'), ben.lamp('1003', 'busy'), ben.lamp('1002', 'idle')]);
    await hangsUp(cleo, ada);
  });

  test('blind transfer by a press on a lamp', async () => {
    const [ada, ben, cleo] = await three('1001', '1002', '1003');
    await connect(ada, ben);
    await ada.button('Transfer').click();
    await ada.screenshot('call-transfer');
    await ada.lampButton('1003').click();
    await cleo.says(/1002[\s\S]*Incoming call/);
    await cleo.button('Accept').click();
    await Promise.all([ben.says(/1003[\s\S]*In a call/), cleo.says(/In a call/), ada.idle()]);
    await Promise.all([ben.hears(), cleo.hears()]);
    await hangsUp(ben, cleo);
  });

  test('a transfer that fails brings the call back', async () => {
    const [ada, ben, cleo] = await three('1001', '1002', '1003');
    await connect(ada, ben);
    await ada.button('Transfer').click();
    await ada.page.getByLabel('Transfer to', { exact: true }).fill('1003');
    await ada.page.keyboard.press('Enter');
    await cleo.says(/Incoming call/);
    await cleo.button('Decline').click();
    await Promise.all([ada.says(/In a call/), ben.says(/In a call/)]);
    await ada.notices(/transfer failed[\s\S]*declined/);
    await Promise.all([ada.hears(), ben.hears()]);
    await hangsUp(ada, ben);
  });
});

describe('a lost line', () => {
  test('the talk goes on, and the call is there when the line is back', async () => {
    const [ada, ben] = await two('1001', '1002');
    await connect(ada, ben);
    await Promise.all([ada.hears(), ben.hears()]);
    await ben.page.context().setOffline(true);
    await ben.says(/Reconnecting. You can go on talking/);
    expect(await ben.button('Hold').isDisabled()).toBe(true);
    await ben.hears();
    await ben.page.context().setOffline(false);
    await ben.says(/In a call/);
    await ada.lamp('1002', 'busy');
    // Until ben's re-INVITE is acknowledged ada has none of her own.
    await Promise.all([ada.hears(), ben.hears()]);
    await ada.button('Hold').click();
    await ben.says(/other side holds/);
    await ada.button('Resume').click();
    await Promise.all([ada.hears(), ben.hears()]);
    await hangsUp(ada, ben);
  });

  test('who hangs up without a line is heard when it is back', async () => {
    const [ada, ben] = await two('1001', '1002');
    await connect(ada, ben);
    await Promise.all([ada.hears(), ben.hears()]);
    await ben.page.context().setOffline(true);
    await ben.says(/Reconnecting/);
    await ben.button('Hang up').click();
    await ben.idle();
    await ada.says(/In a call/);
    await ben.page.context().setOffline(false);
    await ada.idle();
  });

  test('the gateway that keeps the call dies: who was on it is told at once, the other when the audio is gone', async () => {
    const [ada, ben] = await two('1001', '1002');
    await connect(ada, ben);
    await Promise.all([ada.hears(), ben.hears()]);
    const restarted = stack.restarted('gateway-1');
    stack.kill('gateway-1');
    await ada.says(/Reconnecting/);
    await restarted;
    await ada.idle();
    await ada.notices(/was lost/);
    await ben.page.locator('.call-card').waitFor({ state: 'detached', timeout: 60_000 });
    await ben.notices(/was lost/);
    await Promise.all([ada.lamp('1002', 'idle', 60_000), ben.lamp('1001', 'idle', 60_000)]);
    await connect(ada, ben);
    await ada.hears();
    await hangsUp(ada, ben);
  }, 180_000);
});
