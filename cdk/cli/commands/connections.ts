/** `lampfield connections`: who is connected, with what and since when. */
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import { confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { relativeText } from '../format.ts';
import { collected } from '../output.ts';
import type { Connection } from '../resources.ts';

export function addConnectionCommands(program: Command, cli: Cli): void {
  const connections = program.command('connections').description('who is connected, and how to end a connection');
  connections
    .command('list', { isDefault: true })
    .description('connections of the tenant as its gateways hold them now')
    .option('--user <user>', 'those of one user alone')
    .action(cli.action(listConnections));
  connections
    .command('end')
    .description('close a connection; its client may come back')
    .argument('<id>', 'as the list shows it')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(endConnection));
}

async function listConnections(session: Session, { user }: { user?: string }): Promise<void> {
  const { user: wanted, tenant } =
    user === undefined ? { user: undefined, tenant: await session.tenant() } : await session.userAt(user);
  const all = await collected(session.api.items<Connection>(path`/tenants/${tenant}/connections`));
  const nowMs = session.now();
  session.out.list(
    all.filter((each) => wanted === undefined || each.user === wanted),
    [
      { title: 'user', of: ({ user: name }) => name },
      { title: 'with', of: ({ userAgent, protocol }) => userAgent ?? protocol },
      { title: 'from', of: ({ address, transport }) => `${address} ${transport}` },
      { title: 'since', of: ({ since }) => relativeText(since, nowMs) },
      { title: 'signed in by', of: ({ signedInBy, proof }) => [signedInBy, proof].filter(Boolean).join(' ') },
      { title: 'ends', of: ({ expiresAt }) => relativeText(expiresAt, nowMs) },
      { title: 'watches', of: ({ subscriptions }) => subscriptions, align: 'right' },
      { title: 'id', of: ({ id }) => id },
    ],
    'Nobody is connected.',
  );
}

async function endConnection(session: Session, id: string, { yes }: { yes?: boolean }): Promise<void> {
  await confirmByName(`This closes the connection ${id}`, 'end', yes);
  await session.api.request('DELETE', path`/tenants/${await session.tenant()}/connections/${id}`);
  session.out.document({ id, ended: true }, () => `Closed ${id}.`);
}
