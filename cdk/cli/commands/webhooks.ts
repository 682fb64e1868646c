/** `lampfield webhook`: where a tenant's events go, and how that gets on. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import { confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { refusal } from '../failure.ts';
import { relativeText } from '../format.ts';
import { collected } from '../output.ts';
import type { Webhook } from '../resources.ts';
import { repeated, seconds } from './arguments.ts';

interface WebhookOptions {
  readonly event?: readonly string[];
  readonly user?: readonly string[];
  readonly group?: readonly string[];
  readonly watcher?: string;
  readonly description?: string;
}

/** A test leaves within seconds, and a receiver has eight. */
const TEST_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 500;

export function addWebhookCommands(program: Command, cli: Cli): void {
  const webhook = program.command('webhook').description('where the events of a tenant go, signed');
  webhook.command('list').description('all webhooks, without their secrets').action(cli.action(listAll));
  webhook.command('show').description('one webhook').argument('<id>').action(cli.action(showOne));
  webhook
    .command('add')
    .description('make a webhook; its secret is shown once')
    .argument('<url>', 'where messages are posted to (https)')
    .option('--event <event>', 'what it is told of: lamp, presence or messages; may be repeated', repeated)
    .option('--user <user>', 'told of this user only; may be repeated', repeated)
    .option('--group <group>', 'told of this group only; may be repeated', repeated)
    .option('--watcher <user>', 'the user as whom it watches')
    .option('--description <text>', 'what it is for')
    .action(cli.action(add));
  for (const [name, what] of [
    ['enable', 'switch a webhook on; what waits is tried at once'],
    ['disable', 'switch a webhook off'],
  ] as const)
    webhook
      .command(name)
      .description(what)
      .argument('<id>')
      .action(cli.action((session: Session, id: string) => setEnabled(session, id, name === 'enable')));
  webhook
    .command('test')
    .description('send a test, and say what became of it')
    .argument('<id>')
    .action(cli.action(test));
  webhook
    .command('rotate')
    .description('make a new secret, which is shown once')
    .argument('<id>')
    .option('--grace <time>', 'how long the old secret signs too, such as 1h', seconds)
    .action(cli.action(rotate));
  webhook
    .command('remove')
    .description('remove a webhook, and what waits for it')
    .argument('<id>')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(remove));
}

const whereOf = async (session: Session, id: string): Promise<string> =>
  path`/tenants/${await session.tenant()}/webhooks/${id}`;

async function listAll(session: Session): Promise<void> {
  const where = path`/tenants/${await session.tenant()}/webhooks`;
  const items = await collected(session.api.items<Webhook>(where));
  const nowMs = session.now();
  session.out.list(
    items,
    [
      { title: 'webhook', of: ({ id }) => id },
      { title: 'to', of: ({ url }) => url },
      { title: 'events', of: ({ events }) => events.join(', ') },
      { title: 'state', of: ({ delivery }) => delivery.state },
      { title: 'last success', of: ({ delivery }) => relativeText(delivery.lastSuccessAt, nowMs) ?? 'never' },
      { title: 'last failure', of: ({ delivery }) => delivery.lastFailure?.reason },
    ],
    'No webhook yet: lampfield webhook add <url>.',
  );
}

async function showOne(session: Session, id: string): Promise<void> {
  const { body } = await session.api.request<Webhook>('GET', await whereOf(session, id));
  const nowMs = session.now();
  const { delivery } = body;
  const { lastFailure, disabled, lastTest } = delivery;
  session.out.document(body, () =>
    session.out.facts({
      webhook: body.id,
      to: body.url,
      description: body.description,
      events: body.events.join(', '),
      users: body.users?.join(', '),
      groups: body.groups?.join(', '),
      'watches as': body.watcher,
      'old secret ends': relativeText(body.previousSecretUntil, nowMs),
      state: delivery.state,
      waiting: delivery.waiting ?? 0,
      'last success': relativeText(delivery.lastSuccessAt, nowMs) ?? 'never',
      'last failure': lastFailure && `${relativeText(lastFailure.at, nowMs)}: ${lastFailure.reason}`,
      'next try': relativeText(delivery.nextTryAt, nowMs),
      'switched off': disabled && `${relativeText(disabled.at, nowMs)}: ${disabled.reason}`,
      'last test': lastTest && `${relativeText(lastTest.at, nowMs)}: ${lastTest.outcome}`,
    }),
  );
}

async function add(session: Session, url: string, options: WebhookOptions): Promise<void> {
  const { event, user, group, watcher, description } = options;
  const body = { url, events: event, users: user, groups: group, watcher, description };
  const where = path`/tenants/${await session.tenant()}/webhooks`;
  showSecret(session, (await session.api.request<Webhook>('POST', where, { body })).body, 'Webhook');
}

/** The secret alone goes to standard output, so that it can be piped to where it is kept. */
function showSecret({ out }: Session, webhook: Webhook, what: string): void {
  out.note(`${what} ${webhook.id}; the secret of its signatures is shown this once:`);
  out.document(webhook, () => webhook.secret ?? '');
}

async function setEnabled(session: Session, id: string, enabled: boolean): Promise<void> {
  const where = await whereOf(session, id);
  const { body: before } = await session.api.request<Webhook>('GET', where);
  const { body } = await session.api.request<Webhook>('PUT', where, { body: { ...before, enabled } });
  session.out.document(body, () => `${id} is switched ${enabled ? 'on' : 'off'}.`);
}

async function test(session: Session, id: string): Promise<void> {
  const where = await whereOf(session, id);
  const { body: sent } = await session.api.request<{ id: string }>('POST', `${where}/test`);
  for (const endMs = session.now() + TEST_WITHIN_MS; session.now() < endMs; await pause(LOOK_EVERY_MS)) {
    const { lastTest } = (await session.api.request<Webhook>('GET', where)).body.delivery;
    if (lastTest?.id !== sent.id) continue;
    if (lastTest.outcome !== 'delivered') throw refusal(`The test was not taken: ${lastTest.outcome}.`);
    return session.out.document(lastTest, () => 'The test was delivered.');
  }
  throw refusal('Nothing is known of the test yet.', `lampfield webhook show ${id}`);
}

async function rotate(session: Session, id: string, { grace }: { grace?: number }): Promise<void> {
  const where = `${await whereOf(session, id)}/rotate`;
  const body = grace === undefined ? {} : { graceSeconds: grace };
  showSecret(session, (await session.api.request<Webhook>('POST', where, { body })).body, 'New secret of');
}

async function remove(session: Session, id: string, { yes }: { yes?: boolean }): Promise<void> {
  const where = await whereOf(session, id);
  await confirmByName(`This removes the webhook ${id}, and what waits for it`, id, yes);
  await session.api.request('DELETE', where);
  session.out.document({ id, removed: true }, () => `Removed the webhook ${id}.`);
}
