/** The console in real Chromium against the real local stack. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type LocalStack, startStack } from '../support/local-stack.ts';
import { isGoodSignature, startReceiver } from '../support/webhook-receiver.ts';
import { FAKE_MICROPHONE, launchBrowser, openPanel } from './browser.ts';
import { apiOf, type Console, openConsole, SOON } from './console.ts';
import { openPhone } from './phone.ts';

const KEY = 'the-operators-key-of-this-test';
const TENANT = 'harbor.example';
const PASSWORD = 'a-long-password-7';
/** Several pages and many steps, on a machine that is busy. */
const LONG_MS = 240_000;

let stack: LocalStack;
let browser: Browser;
let api: ReturnType<typeof apiOf>;
let admin: Console;

beforeAll(async () => {
  [stack, browser] = await Promise.all([
    startStack({ env: { ADMIN_KEY: KEY, LOCAL_USERS: '3' } }),
    launchBrowser(FAKE_MICROPHONE),
  ]);
  api = apiOf(stack.apiUrl, KEY);
  await api('PUT', `/tenants/${TENANT}`, { displayName: 'Harbor Books', policy: { minExpiresSeconds: 3 } });
  for (const [user, displayName] of [
    ['2001', 'Ada Lovelace'],
    ['2002', 'Ben Carter'],
  ])
    await api('PUT', `/tenants/${TENANT}/users/${user}`, { displayName, groups: ['Sales'], password: PASSWORD });
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
});
beforeEach(async () => {
  admin = await openConsole(browser, stack.httpUrl());
});
afterEach(async () => {
  expect(admin.complaints).toEqual([]);
  await admin.close();
});

let sequence = 0;
/** What a PBX says over HTTP. */
const say = (user: string, state: string) =>
  api('PUT', `/tenants/${TENANT}/presentities/${user}/dialogs/call-1`, {
    ...{ source: 'pbx', sequence: ++sequence, leaseSeconds: 600, state, direction: 'recipient' },
    remote: { uri: 'sip:+12025550143@harbor.example', displayName: 'Lakeview Hotel' },
  });
const rows = () => admin.page.locator('tbody tr').allInnerTexts();
const row = (text: string) => admin.page.locator('tbody tr', { hasText: text });
const enter = async (place: string, key = KEY) => {
  await admin.enter(key);
  await admin.page.waitForSelector('#places:not([hidden])');
  await admin.go(place);
};

describe('signing in', () => {
  test('a key that is not good is refused with what to do; a good one is kept in this tab only', async () => {
    const asked: string[] = [];
    admin.page.on('request', (request) => asked.push(request.url()));
    await admin.enter('lf_000000000000_wrong');
    await admin.says(/The key is not good[\s\S]*Sign in with another one/);
    await admin.enter(KEY);
    await admin.says(/harbor\.example[\s\S]*Harbor Books/);
    await admin.page.reload();
    await admin.says(/admin · operator[\s\S]*Harbor Books/);
    expect(await admin.page.evaluate(() => JSON.stringify({ ...localStorage }))).not.toContain(KEY);
    expect([admin.page.url(), ...asked].join(' ')).not.toContain(KEY);
    await admin.press('Sign out');
    await admin.page.waitForSelector('#sign-in:not([hidden])');
    await admin.page.reload();
    await admin.page.waitForSelector('#sign-in:not([hidden])');
    expect(await admin.page.evaluate(() => JSON.stringify({ ...sessionStorage }))).not.toContain(KEY);
  });

  test('nothing is asked of anybody but the gateway and the API, and other pages may not ask the API', async () => {
    const hosts = new Set<string>();
    admin.page.on('request', (request) => hosts.add(new URL(request.url()).host));
    await enter(`#/tenants/${TENANT}/users`);
    await admin.says(/Ada Lovelace/);
    expect([...hosts].sort()).toEqual([stack.httpUrl(), stack.apiUrl].map((url) => new URL(url).host).sort());
    const stranger = { origin: 'http://elsewhere.example', authorization: `Bearer ${KEY}` };
    const answer = await fetch(`${stack.apiUrl}/tenants`, { headers: stranger });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('a key of a company sees its company only, and is signed out when it is revoked', async () => {
    const { key, id, prefix } = await api('POST', `/tenants/${TENANT}/keys`, { name: 'Portal', permission: 'admin' });
    await enter('#/tenants/demo.example/users', key);
    await expect.poll(() => admin.page.locator('#places').innerText(), SOON).toMatch(/^harbor\.example/);
    await admin.says(new RegExp(`${prefix} · harbor\\.example`));
    await admin.go(`#/tenants/${TENANT}/lamps`);
    await api('DELETE', `/tenants/${TENANT}/keys/${id}`);
    await admin.says(/Sign in to the console[\s\S]*The key is not good/);
    expect(await admin.page.locator('#view').innerText()).toBe('');
  });

  test('a key that may only look is offered nothing to change', async () => {
    const { key } = await api('POST', `/tenants/${TENANT}/keys`, { name: 'Wallboard', permission: 'read' });
    await enter(`#/tenants/${TENANT}/users`, key);
    await admin.says(/Ada Lovelace/);
    expect(await admin.page.locator('#view button').allInnerTexts()).not.toContain('Add user');
    expect(await admin.page.locator('#places').innerText()).not.toContain('Keys');
  });
});

describe('tenants and users', () => {
  test(
    'a tenant is added, gets a user with a password that is made up, and the user signs in with it',
    async () => {
      await enter('#/tenants');
      await admin.press('Add tenant');
      await admin.send({ domain: 'New.Example', displayName: 'New Ltd.' });
      await admin.says(/new\.example was added[\s\S]*Nobody here/);
      await admin.press('Add user');
      await admin.send({ user: '7001', displayName: 'Emine Kaya' });
      await expect.poll(() => admin.page.locator('dialog .secret').count(), SOON).toBe(1);
      const password = await admin.page.inputValue('dialog .secret');
      expect(password.length).toBeGreaterThan(12);
      await admin.press('I have kept it');
      await expect.poll(rows, SOON).toEqual([expect.stringMatching(/7001[\s\S]*Emine Kaya/)]);
      const panel = await openPanel(browser, stack.httpUrl());
      await panel.signIn({ user: '7001', domain: 'new.example', password });
      await panel.page.waitForSelector('#account:not([hidden])');
      await admin.go('#/tenants/new.example/connections');
      await admin.says(/Signed in by[\s\S]*7001[\s\S]*Password[\s\S]*Registered until[\s\S]*7001/);
      await panel.close();
    },
    LONG_MS,
  );

  test('what the API refuses is shown at its field, and nothing is lost', async () => {
    await enter(`#/tenants/${TENANT}/users`);
    await admin.press('Add user');
    await admin.send({ user: '2003', password: 'short' });
    await expect
      .poll(() => admin.page.locator('dialog').innerText(), SOON)
      .toMatch(/too weak[\s\S]*Correct what is named/);
    expect(await admin.page.getAttribute('dialog [name=password]', 'aria-invalid')).toBe('true');
    expect(await admin.page.inputValue('dialog [name=user]')).toBe('2003');
    await admin.page.keyboard.press('Escape');
    await expect.poll(() => admin.page.locator('dialog').count(), SOON).toBe(0);
  });

  test('a user is changed, and what another one changes meanwhile is not lost', async () => {
    await api('PUT', `/tenants/${TENANT}/users/2009`, { displayName: 'Farid', password: PASSWORD });
    await enter(`#/tenants/${TENANT}/users`);
    await admin.press('Edit 2009');
    await admin.page.waitForSelector('dialog [name=displayName]');
    await api('PUT', `/tenants/${TENANT}/users/2009`, { displayName: 'Farid Haddad' });
    await admin.send({ displayName: 'F.' });
    await expect.poll(() => admin.page.locator('dialog').innerText(), SOON).toContain('Somebody changed it meanwhile');
    await admin.page.keyboard.press('Escape');
    await admin.page.waitForSelector('dialog', { state: 'detached' });
    await admin.press('Edit 2009');
    await admin.send({ groups: 'Board, Sales' });
    await expect.poll(() => row('2009').innerText(), SOON).toMatch(/Farid Haddad[\s\S]*Board, Sales/);
    await admin.press('Delete 2009');
    await admin.press('Delete');
    await admin.says(/2009 was deleted/);
    await expect.poll(() => row('2009').count(), SOON).toBe(0);
  });

  test(
    'a list of users is imported with its passwords, mistakes are named, and search finds names',
    async () => {
      await api('PUT', '/tenants/import.example', {});
      await enter('#/tenants/import.example/users');
      await admin.press('Import CSV');
      const names = Array.from({ length: 60 }, (_, index) => `${3_000 + index},Person ${index},Floor ${index % 3}`);
      const file = ['user,displayName,groups', ...names, 'no name,Nobody,', '3000,Twice,'].join('\n');
      const csv = { name: 'users.csv', mimeType: 'text/csv', buffer: Buffer.from(file) };
      await admin.page.setInputFiles('#import-file', csv);
      await admin.says(/60 users to import[\s\S]*Line 62, no name[\s\S]*Line 63, 3000: names the same user as line 2/);
      await admin.page.check('#import-passwords');
      await admin.press('Import');
      await admin.says(/60 added, 0 changed, 0 refused/, 60_000);
      expect(await admin.page.locator('dialog progress').evaluate((bar: HTMLProgressElement) => bar.value)).toBe(60);
      const saving = admin.page.waitForEvent('download');
      await admin.page.click('dialog a[download]');
      const passwords = await (await saving).createReadStream().then((stream) => stream.toArray());
      expect(Buffer.concat(passwords).toString().split('\r\n')).toHaveLength(62);
      await admin.press('Close');
      await expect.poll(async () => (await rows()).length, SOON).toBe(50);
      await admin.press('Next page');
      await expect.poll(async () => (await rows()).length, SOON).toBe(10);
      await admin.page.fill('[type=search]', 'person 59');
      await expect.poll(rows, SOON).toEqual([expect.stringMatching(/3059[\s\S]*Person 59[\s\S]*Floor 2/)]);
      expect(await admin.page.getByRole('button', { name: 'Next page' }).isVisible()).toBe(false);
    },
    LONG_MS,
  );
});

describe('lamps', () => {
  test(
    'a lamp goes red by what a PBX says over HTTP; why, who was told; reset by hand',
    async () => {
      await say('2001', 'terminated');
      const watcher = await openPanel(browser, stack.httpUrl());
      await watcher.signIn({ user: '2002', domain: TENANT, password: PASSWORD });
      await watcher.page.click('#edit');
      await watcher.page.fill('#list-text', '2001');
      await watcher.page.click('#list-form [type=submit]');
      await watcher.lamp('2001', 'idle');
      await enter(`#/tenants/${TENANT}/lamps`);
      await admin.lamp('2001', 'idle');
      await say('2001', 'early');
      await admin.lamp('2001', 'ringing', 5_000);
      await say('2001', 'confirmed');
      await admin.lamp('2001', 'busy', 5_000);
      expect(await admin.tile('2001').getAttribute('aria-label')).toBe('2001 Ada Lovelace: In a call. Why?');
      await admin.tile('2001').click();
      await admin.says(
        /Talking, from Lakeview Hotel[\s\S]*Ringing[\s\S]*In a call[\s\S]*Told over HTTP by pbx \(dialog\)/,
      );
      await admin.says(/2002, dialog: connected · last NOTIFY answered 200 after \d+ ms/);
      await admin.page.getByText('2002, dialog: connected').click();
      await admin.says(/CSeq \d+, document \d+, state \d+: answered 200/);
      await admin.press('Reset lamp');
      expect(await admin.dialog()).toBe('Reset the lamp of 2001?');
      await admin.press('Reset');
      await admin.says(/publications? of 2001 removed/);
      await admin.says(/In a call[\s\S]*Free[\s\S]*Reset by hand with admin/);
      await watcher.lamp('2001', 'idle', 5_000);
      await admin.go(`#/tenants/${TENANT}/subscriptions`);
      await admin.says(/Watched[\s\S]*2001[\s\S]*2002[\s\S]*dialog/);
      await watcher.close();
    },
    LONG_MS,
  );

  test(
    'a call is seen, and ended',
    async () => {
      const [ada, ben] = await Promise.all(['1001', '1002'].map((user) => openPhone(browser, stack.httpUrl(), user)));
      if (ada === undefined || ben === undefined) throw new Error('two phones were opened');
      await enter('#/tenants/demo.example/calls');
      await admin.says(/Nobody is in a call/);
      await ada.lampButton('1002').click();
      await ben.says(/Incoming call/);
      await ben.button('Accept').click();
      await Promise.all([ada.says(/In a call/), ben.says(/In a call/)]);
      await expect.poll(rows, SOON).toEqual([expect.stringMatching(/1001[\s\S]*1002[\s\S]*Confirmed/)]);
      await admin.press('End the call of 1001');
      await admin.press('End call');
      await Promise.all([ada.idle(), ben.idle()]);
      await admin.says(/Nobody is in a call/);
      await Promise.all([ada.close(), ben.close()]);
    },
    LONG_MS,
  );
});

describe('keys, limits, settings, audit', () => {
  test('a key is made, shown once, rotated, and revoked by typing its name', async () => {
    await enter('#/tenants/acme.example/keys');
    await admin.says(/No key yet/);
    await admin.press('Make a key');
    await admin.send({ name: 'PBX' });
    const key = await admin.page.locator('dialog .secret').inputValue();
    expect(key).toMatch(/^lf_[0-9a-f]{12}_/);
    await admin.press('I have kept it');
    await expect.poll(rows, SOON).toEqual([expect.stringMatching(/PBX[\s\S]*Everything[\s\S]*Never/)]);
    expect(await admin.page.content()).not.toContain(key);
    await admin.press('Rotate PBX');
    await admin.page.selectOption('dialog select', '0');
    await admin.send();
    const rotated = await admin.page.locator('dialog .secret').inputValue();
    await admin.press('I have kept it');
    await expect(apiOf(stack.apiUrl, key)('GET', '/key')).rejects.toThrow('401');
    expect(await apiOf(stack.apiUrl, rotated)('GET', '/key')).toMatchObject({ tenant: 'acme.example' });
    await admin.press('Revoke PBX');
    const revoke = admin.page.getByRole('button', { name: 'Revoke', exact: true });
    expect(await revoke.isDisabled()).toBe(true);
    await admin.page.fill('dialog [name=typed]', rotated.slice(0, 15));
    await revoke.click();
    await admin.says(/PBX was revoked[\s\S]*No key yet/);
    await expect(apiOf(stack.apiUrl, rotated)('GET', '/key')).rejects.toThrow('401');
  });

  test('a webhook is made, its secret shown once, tested, changed and removed', async () => {
    const receiver = await startReceiver();
    onTestFinished(() => receiver.stop());
    await enter('#/tenants/acme.example/webhooks');
    await admin.says(/No webhook yet/);
    await admin.press('Make a webhook');
    await admin.send({ url: 'http://10.0.0.1/', description: 'CRM' });
    await admin.says(/This goes nowhere/);
    await admin.send({ url: receiver.url });
    const secret = await admin.page.locator('dialog .secret').inputValue();
    expect(secret).toMatch(/^whsec_/);
    await admin.press('I have kept it');
    await expect
      .poll(rows, SOON)
      .toEqual([expect.stringMatching(/CRM[\s\S]*lamp of everybody[\s\S]*Fine[\s\S]*Never/)]);
    expect(await admin.page.content()).not.toContain(secret);
    await admin.press('Test CRM');
    await admin.says(/CRM took the test/);
    const [got] = receiver.received;
    expect(isGoodSignature(secret, got?.headers ?? {}, got?.text ?? '', Date.now())).toBe(true);
    receiver.answer = 500;
    await admin.press('Test CRM');
    await admin.says(/CRM did not: answered 500/);
    await admin.press('Change CRM');
    await admin.page.uncheck('dialog [name=enabled]');
    await admin.send({ users: '1001, 1002' });
    await expect.poll(rows, SOON).toEqual([expect.stringMatching(/lamp of 1001, 1002[\s\S]*Switched off/)]);
    await admin.press('Remove CRM');
    await admin.press('Remove');
    await admin.says(/CRM was removed[\s\S]*No webhook yet/);
  });

  test('a limit that is nearly used up is marked', async () => {
    await api('PUT', '/tenants/full.example', { quotas: { users: 5, lists: 0 } });
    for (const user of ['1', '2', '3', '4']) await api('PUT', `/tenants/full.example/users/${user}`, {});
    await enter('#/tenants/full.example/limits');
    const users = admin.page.locator('.limit', { hasText: 'Users' });
    await expect.poll(() => users.getAttribute('data-fullness'), SOON).toBe('nearly');
    expect(await users.innerText()).toMatch(/4 of 5 · 80 %[\s\S]*nearly used up/);
    expect(await admin.page.locator('.limit', { hasText: 'Flows' }).getAttribute('data-fullness')).toBe('fine');
  });

  test('settings are saved by form and as JSON, and the audit trail tells who changed what', async () => {
    await api('PUT', '/tenants/set.example', { displayName: 'Set', policy: { calls: { noAnswerSeconds: 20 } } });
    await enter('#/tenants/set.example/settings');
    await admin.page.fill('[name=displayName]', 'Set and Sons');
    await admin.page.selectOption('[name="watch.default"]', 'sameGroup');
    await admin.press('Save');
    await admin.says(/The settings were saved/);
    expect(await api('GET', '/tenants/set.example')).toMatchObject({
      ...{ displayName: 'Set and Sons', watch: { default: 'sameGroup' }, policy: { calls: { noAnswerSeconds: 20 } } },
    });
    await admin.page.getByText('All settings', { exact: true }).click();
    const json = JSON.parse(await admin.page.inputValue('[name=json]'));
    await admin.page.fill('[name=json]', JSON.stringify({ ...json, policy: { minExpiresSeconds: 'x' } }));
    await admin.press('Save JSON');
    await admin.says(/policy\.minExpiresSeconds: is not number/);
    await admin.go('#/tenants/set.example/audit');
    await expect.poll(rows, SOON).toHaveLength(2);
    await admin.page.locator('summary').first().click();
    expect((await rows())[0]).toMatch(/admin[\s\S]*Update[\s\S]*displayName: "Set" → "Set and Sons"/);
  });
});

test(
  'a tenant is deleted by typing its name, with all that is in it',
  async () => {
    await api('PUT', '/tenants/gone.example', { displayName: 'Gone' });
    await api('PUT', '/tenants/gone.example/users/1', { password: PASSWORD });
    const panel = await openPanel(browser, stack.httpUrl());
    await panel.signIn({ user: '1', domain: 'gone.example', password: PASSWORD });
    await panel.page.waitForSelector('#account:not([hidden])');
    await enter('#/tenants/gone.example/settings');
    await admin.press('Delete this tenant');
    const last = admin.page.getByRole('button', { name: 'Delete for good' });
    await admin.page.fill('dialog [name=typed]', 'gone.exampl');
    expect(await last.isDisabled()).toBe(true);
    await admin.page.fill('dialog [name=typed]', 'gone.example');
    await last.click();
    await admin.says(/gone\.example is being deleted/);
    await expect.poll(() => panel.page.locator('#connection').innerText(), SOON).not.toBe('Live');
    const standing = () => api('GET', '/tenants/gone.example').catch((error: Error) => error.message);
    await expect.poll(standing, { timeout: 60_000 }).toMatch(/404/);
    await panel.close();
  },
  LONG_MS,
);

describe('for everybody', () => {
  test('by keyboard alone: sign in, to the users, add one, and focus is where it was', async () => {
    await admin.page.focus('#key');
    await admin.page.keyboard.type(KEY);
    await admin.page.keyboard.press('Enter');
    await admin.says(/Harbor Books/);
    await admin.page.getByRole('link', { name: TENANT }).focus();
    await admin.page.keyboard.press('Enter');
    await admin.page.getByRole('link', { name: 'Users', exact: true }).focus();
    await admin.page.keyboard.press('Enter');
    await admin.says(/Ada Lovelace/);
    expect(await admin.page.evaluate(() => document.activeElement?.id)).toBe('main-view');
    await admin.page.getByRole('button', { name: 'Add user' }).focus();
    await admin.page.keyboard.press('Enter');
    expect(await admin.page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('user');
    await admin.page.keyboard.press('Escape');
    await admin.page.waitForSelector('dialog', { state: 'detached' });
    expect(await admin.page.evaluate(() => document.activeElement?.textContent)).toBe('Add user');
  });

  test('on a phone nothing is wider than the screen, in the dark neither', async () => {
    const phone = await openConsole(browser, stack.httpUrl(), {
      viewport: { width: 360, height: 740 },
      colorScheme: 'dark',
    });
    await phone.enter(KEY);
    await phone.says(/Harbor Books/);
    for (const tab of [
      'lamps',
      'lamps/2001',
      'users',
      'subscriptions',
      'limits',
      'keys',
      'webhooks',
      'settings',
      'audit',
    ]) {
      await phone.go(`#/tenants/${TENANT}/${tab}`);
      await phone.page.waitForLoadState('networkidle');
      expect(await phone.page.evaluate(() => document.documentElement.scrollWidth), tab).toBeLessThanOrEqual(360);
    }
    await phone.screenshot('console-phone');
    expect(phone.complaints).toEqual([]);
    await phone.close();
  });

  test('every control has a name, every page a heading, and what is said is said to screen readers', async () => {
    await enter(`#/tenants/${TENANT}/users`);
    await admin.says(/Ada Lovelace/);
    const nameless = await admin.page.evaluate(() =>
      [...document.querySelectorAll('a, button, input, select, textarea, meter, table')]
        .filter((node) => (node as HTMLElement).checkVisibility())
        .filter((node) => {
          const labels = node instanceof HTMLInputElement ? node.labels?.length : 0;
          const text = node instanceof HTMLTableElement ? node.caption?.textContent : node.textContent;
          return !labels && !text?.trim() && !node.getAttribute('aria-label');
        })
        .map((node) => node.outerHTML),
    );
    expect(nameless).toEqual([]);
    expect(await admin.page.locator('h1:visible').count()).toBe(1);
    expect(await admin.page.getByRole('link', { name: 'Users', exact: true }).getAttribute('aria-current')).toBe(
      'page',
    );
    expect(await admin.page.title()).toBe(`Users, ${TENANT} · Lampfield console`);
  });
});
