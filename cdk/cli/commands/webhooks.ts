/** `lampfield webhook`: who is told of events by HTTP. */
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import { confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { collected } from '../output.ts';
import type { Webhook } from '../resources.ts';

interface AddOptions {
  readonly events: string;
  readonly users?: string;
}

export function addWebhookCommands(program: Command, cli: Cli): void {
  const webhook = program.command('webhook').description('who is told of events by HTTP');
  webhook.command('list').description('all webhooks of the tenant').action(cli.action(listWebhooks));
  webhook
    .command('add')
    .description('tell this address of events; the secret that signs them is shown once')
    .argument('<id>', 'a name for it')
    .argument('<url>', 'https address')
    .option('--events <kinds>', 'lamp, call, registration, with commas between them', 'lamp')
    .option('--users <users>', 'only of these, with commas between them')
    .action(cli.action(addWebhook));
  webhook
    .command('remove')
    .description('tell this address no more')
    .argument('<id>')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(removeWebhook));
}

async function listWebhooks(session: Session): Promise<void> {
  const tenant = await session.tenant();
  const items = await collected(session.api.items<Webhook>(path`/tenants/${tenant}/webhooks`));
  session.out.list(
    items,
    [
      { title: 'webhook', of: ({ id }) => id },
      { title: 'events', of: ({ events }) => events.join(', ') },
      { title: 'users', of: ({ users }) => users?.join(', ') ?? 'all' },
      { title: 'paused', of: ({ paused }) => paused ?? false },
      { title: 'url', of: ({ url }) => url },
    ],
    `No webhook yet in ${tenant}.`,
  );
}

const listed = (text: string): string[] => text.split(',').map((each) => each.trim());

async function addWebhook(session: Session, id: string, url: string, { events, users }: AddOptions): Promise<void> {
  const tenant = await session.tenant();
  const body = { url, events: listed(events), ...(users !== undefined && { users: listed(users) }) };
  const answer = await session.api.request<Webhook>('PUT', path`/tenants/${tenant}/webhooks/${id}`, { body });
  const { secret } = answer.body;
  session.out.note(
    secret === undefined ? `Changed the webhook ${id}.` : `Added the webhook ${id}; its secret is shown this once:`,
  );
  session.out.document(answer.body, () => secret ?? '');
}

async function removeWebhook(session: Session, id: string, { yes }: { yes?: boolean }): Promise<void> {
  const tenant = await session.tenant();
  await confirmByName(`This removes the webhook ${id}`, id, yes);
  await session.api.request('DELETE', path`/tenants/${tenant}/webhooks/${id}`);
  session.out.document({ id, tenant, removed: true }, () => `Removed the webhook ${id}.`);
}
