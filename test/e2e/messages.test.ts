/** Messages between panels: real Chromium pages against the real local stack. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { seedItems } from '#table/seed-items.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';
import { type LocalStack, startStack } from '../support/local-stack.ts';
import { launchBrowser } from './browser.ts';
import { openPhone, type Phone, SOON } from './phone.ts';

let stack: LocalStack;
let browser: Browser;
const phones: Phone[] = [];

beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack(), launchBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
});
afterEach(async () => {
  const complaints = phones.flatMap((phone) => phone.complaints);
  await Promise.all(phones.splice(0).map((phone) => phone.close()));
  expect(complaints).toEqual([]);
});

async function open(extension: string, company = 'demo'): Promise<Phone> {
  const phone = await openPhone(browser, stack.httpUrl(), extension, { company });
  phones.push(phone);
  return phone;
}

/** Writes to a colleague, from the board. */
async function write({ page, tile }: Phone, to: string, text: string): Promise<void> {
  if ((await tile(to).getAttribute('aria-pressed')) !== 'true') await tile(to).click();
  await page.getByPlaceholder('Write a message').fill(text);
  await page.keyboard.press('Enter');
}

const reads = ({ page }: Phone, words: RegExp): Promise<void> =>
  expect.poll(() => page.locator('.messages').innerText(), SOON).toMatch(words);

test('a message is delivered, counted as unread, read and answered', async () => {
  const [ada, ben] = [await open('1001'), await open('1002')];
  await write(ada, '1002', 'Lunch at noon?');
  await reads(ada, /Lunch at noon\?[\s\S]*Delivered/);
  await expect.poll(() => ben.tile('1001').locator('.unread').innerText(), SOON).toBe('1');
  expect(await ben.tile('1001').getAttribute('aria-label')).toContain('1 unread message');
  expect(await ben.page.title()).toBe('(1) Lampfield');
  await ben.page.getByRole('button', { name: 'Open' }).click();
  await reads(ben, /Lunch at noon\?/);
  expect(await ben.tile('1001').locator('.unread').innerText()).toBe('');
  expect(await ben.page.title()).toBe('Lampfield');
  await ben.page.keyboard.type('Yes');
  await ben.page.keyboard.press('Enter');
  await reads(ada, /Yes/);
  await ada.screenshot('messages');
});

test('what is being typed survives news, and what was written survives a reload but not the sign-out', async () => {
  const [ada, ben] = [await open('1001'), await open('1002')];
  await ada.tile('1002').click();
  await ada.page.getByPlaceholder('Write a message').fill('half a sent');
  await write(ben, '1001', 'Are you there?');
  await reads(ada, /Are you there/);
  expect(await ada.page.getByPlaceholder('Write a message').inputValue()).toBe('half a sent');
  await ada.page.reload();
  await ada.signIn({ password: 'demo-1001' });
  await ada.tile('1002').click();
  await reads(ada, /Are you there/);
  await ada.page.click('#sign-out');
  expect(await ada.page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))).not.toContain(
    'Are you',
  );
});

test('nobody is there: it says that the message was not delivered', async () => {
  const ada = await open('1001');
  await write(ada, '1009', 'Hello?');
  await reads(ada, /Not delivered\. Nobody is signed in there now/);
});

test('a company that keeps messages: it says so, and the message comes with the next sign-in', async () => {
  const table = openDynamoDbTable({ tableName: 'lampfield', endpoint: stack.dynamoDbEndpoint });
  const policy = { minExpiresSeconds: 3, storeAndForward: true };
  for (const item of seedItems(
    { domain: 'keep.example', passwordPrefix: 'keep', users: 10, publishers: [], policy },
    TEST_VAULT,
  ))
    await table.put(item);
  table.close();
  const ada = await open('1001', 'keep');
  await write(ada, '1002', 'See you tomorrow');
  await reads(ada, /See you tomorrow[\s\S]*Kept until they sign in/);
  const ben = await open('1002', 'keep');
  await ben.notices(/1001: See you tomorrow/);
});
