/** `lampfield user` and `lampfield publisher`: accounts of a tenant. */
import type { Command } from 'commander';
import { accountAt, conditionOf } from '../accounts.ts';
import { path } from '../api-client.ts';
import { askSecret, confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { usageFailure } from '../failure.ts';
import { collected } from '../output.ts';
import type { Account } from '../resources.ts';
import { flattened, type Settings, withAssignments } from '../settings-text.ts';
import { repeated } from './arguments.ts';
import { addImportCommand } from './import.ts';

interface AddOptions {
  readonly displayName?: string;
  readonly groups?: string;
  readonly set?: readonly string[];
  /** Commander: the flag alone is true. */
  readonly password?: string | boolean;
  readonly passwordStdin?: boolean;
}

type Kind = 'users' | 'publishers';
export function addUserCommands(program: Command, cli: Cli): void {
  const user = program.command('user').description('people of a tenant');
  addCommon(user, cli, 'users', 'user');
  addImportCommand(user, cli);
  const publisher = program
    .command('publisher')
    .description('accounts that may publish for everybody in a tenant (PBXs)');
  addCommon(publisher, cli, 'publishers', 'publisher');
}

function addCommon(family: Command, cli: Cli, kind: Kind, one: string): void {
  family
    .command('list')
    .description(`all ${one}s of the tenant`)
    .action(cli.action((session) => listAccounts(session, kind)));
  family
    .command('show')
    .description(`one ${one}`)
    .argument(`<${one}>`, 'such as 1001 or 1001@acme.example')
    .action(cli.action((session, name: string) => showAccount(session, kind, name)));
  family
    .command('add')
    .description(`add or change a ${one}; without --password one is generated and shown once`)
    .argument(`<${one}>`)
    .option('--display-name <name>', 'name for people')
    .option('--groups <names>', 'groups, with commas between them')
    .option('--set <name=value>', 'a setting, such as watch.confirm=true; may stand several times', repeated)
    .option('--password <password>', 'its password; better by --password-stdin')
    .option('--password-stdin', 'read the password from standard input, or ask for it')
    .option('--no-password', 'no password: it signs in by tokens only')
    .action(cli.action((session, name: string, options: AddOptions) => addAccount(session, kind, name, options)));
  family
    .command('password')
    .description(`set the password of a ${one}; without an option one is generated and shown once`)
    .argument(`<${one}>`)
    .option('--password-stdin', 'read the password from standard input, or ask for it')
    .action(cli.action((session, name: string, options: AddOptions) => setPassword(session, name, options)));
  family
    .command('delete')
    .description(`delete a ${one} with its connections and its lamp`)
    .argument(`<${one}>`)
    .option('-y, --yes', 'do not ask')
    .action(
      cli.action((session, name: string, options: { yes?: boolean }) => deleteAccount(session, kind, name, options)),
    );
}

async function listAccounts(session: Session, kind: Kind): Promise<void> {
  const tenant = await session.tenant();
  const items = await collected(session.api.items<Account>(path`/tenants/${tenant}/` + kind));
  const columns = [
    { title: 'user', of: ({ user }: Account) => user },
    { title: 'name', of: ({ displayName }: Account) => displayName },
    { title: 'role', of: ({ role }: Account) => role },
    { title: 'groups', of: ({ groups = [] }: Account) => groups.join(', ') },
  ];
  session.out.list(items, columns, `Nobody yet in ${tenant}.`);
}

async function placeOf(session: Session, kind: Kind, text: string) {
  const { user, tenant } = await session.userAt(text);
  return { user, tenant, where: path`/tenants/${tenant}/${kind}/${user}` };
}

async function showAccount(session: Session, kind: Kind, name: string): Promise<void> {
  const { where } = await placeOf(session, kind, name);
  const body = await session.api.get<Settings>(where);
  session.out.document(body, () => session.out.facts(flattened(body)));
}

/**
 * A new account gets a password unless it shall have none; one that is there keeps its password and its settings unless
 * others are given.
 */
async function addAccount(session: Session, kind: Kind, name: string, options: AddOptions): Promise<void> {
  const { user, tenant, where } = await placeOf(session, kind, name);
  const given = await passwordOf(options);
  const before = await accountAt(session.api, where);
  const { displayName, groups, set = [] } = options;
  const about = withAssignments(
    {
      ...before?.settings,
      ...(displayName !== undefined && { displayName }),
      ...(groups !== undefined && { groups: groups.split(',').map((group) => group.trim()) }),
    },
    set,
  );
  const body = { ...about, ...(given !== undefined && { password: given }) };
  const saved = await session.api.request<Settings>('PUT', where, { body, ...conditionOf(before) });
  const wantsOne = before === undefined && given === undefined && options.password !== false;
  const secret = wantsOne ? await generated(session, tenant, user) : undefined;
  session.out.document({ ...saved.body, ...(secret && { password: secret }) }, () => [
    `${before === undefined ? 'Added' : 'Changed'} ${user}@${tenant}.`,
    ...(secret ? [`Password (shown this once): ${secret}`] : []),
  ]);
}

async function passwordOf({ password, passwordStdin }: AddOptions): Promise<string | undefined> {
  if (typeof password === 'string') return password;
  return passwordStdin ? askSecret('Password') : undefined;
}

/** Asks the API for a password, which it shows once. @throws {CliFailure} */
async function generated({ api }: Session, tenant: string, user: string): Promise<string> {
  const { body } = await api.request<{ password?: string }>('PUT', path`/tenants/${tenant}/users/${user}/credentials`, {
    body: {},
  });
  if (body?.password) return body.password;
  throw usageFailure('the API made no password.');
}

async function setPassword(session: Session, name: string, options: AddOptions): Promise<void> {
  const { user, tenant } = await session.userAt(name);
  const given = await passwordOf(options);
  const where = path`/tenants/${tenant}/users/${user}/credentials`;
  if (given !== undefined) await session.api.request('PUT', where, { body: { password: given } });
  const secret = given === undefined ? await generated(session, tenant, user) : undefined;
  session.out.document({ user, tenant, ...(secret && { password: secret }) }, () => [
    `${user}@${tenant} has a new password.`,
    ...(secret ? [`Password (shown this once): ${secret}`] : []),
  ]);
}

async function deleteAccount(session: Session, kind: Kind, name: string, { yes }: { yes?: boolean }): Promise<void> {
  const { user, tenant, where } = await placeOf(session, kind, name);
  await confirmByName(`This deletes ${user}@${tenant}`, user, yes);
  await session.api.request('DELETE', where);
  session.out.document({ user, tenant, deleted: true }, () => `Deleted ${user}@${tenant}.`);
}
