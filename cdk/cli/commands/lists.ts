/** `lampfield list`: event lists of a tenant (RFC 4662). */
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import { confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { counted, harmless } from '../format.ts';
import { collected } from '../output.ts';
import type { List } from '../resources.ts';

export function addListCommands(program: Command, cli: Cli): void {
  const list = program.command('list').description('lists that people watch as one');
  list.command('list').description('all lists of the tenant').action(cli.action(showLists));
  list.command('show').description('one list with its members').argument('<list>').action(cli.action(showList));
  list
    .command('create')
    .description('create a list, or give it other members')
    .argument('<list>', 'its name, watched as sip:<list>@<tenant>')
    .argument('<members...>', 'users, or other lists')
    .action(cli.action(putList));
  list
    .command('delete')
    .description('delete a list')
    .argument('<list>')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(deleteList));
}

async function showLists(session: Session): Promise<void> {
  const tenant = await session.tenant();
  const items = await collected(session.api.items<List>(path`/tenants/${tenant}/lists`));
  session.out.list(
    items,
    [
      { title: 'list', of: ({ name }) => name },
      { title: 'members', of: ({ members }) => members.length, align: 'right' },
    ],
    `No list yet in ${tenant}.`,
  );
}

async function showList(session: Session, named: string): Promise<void> {
  const { user: name, tenant } = await session.userAt(named);
  const body = await session.api.get<List>(path`/tenants/${tenant}/lists/${name}`);
  session.out.document(body, () => [
    `sip:${name}@${tenant}`,
    ...body.members.map(({ uri, displayName }) => `  ${uri}${displayName ? `  ${harmless(displayName)}` : ''}`),
  ]);
}

async function putList(session: Session, named: string, members: readonly string[]): Promise<void> {
  const { user: name, tenant } = await session.userAt(named);
  const body = { members: members.map((member) => ({ uri: addressOf(member, tenant) })) };
  const answer = await session.api.request<List>('PUT', path`/tenants/${tenant}/lists/${name}`, { body });
  session.out.document(answer.body, () => `sip:${name}@${tenant} has ${counted(members.length, 'member')}.`);
}

const addressOf = (member: string, tenant: string): string =>
  `sip:${member.replace(/^sip:/, '')}${member.includes('@') ? '' : `@${tenant}`}`;

async function deleteList(session: Session, named: string, { yes }: { yes?: boolean }): Promise<void> {
  const { user: name, tenant } = await session.userAt(named);
  await confirmByName(`This deletes the list ${name}`, name, yes);
  await session.api.request('DELETE', path`/tenants/${tenant}/lists/${name}`);
  session.out.document({ name, tenant, deleted: true }, () => `Deleted the list ${name}.`);
}
