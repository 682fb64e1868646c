/** `lampfield tenant`: the companies of a deployment. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { isRefusedWith, path } from '../api-client.ts';
import { confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { refusal } from '../failure.ts';
import { collected } from '../output.ts';
import type { Tenant } from '../resources.ts';
import { flattened, readSettings, type Settings, withAssignments } from '../settings-text.ts';
import { changeTenant } from '../tenant-settings.ts';
import { repeated } from './arguments.ts';

interface Changes {
  readonly displayName?: string;
  readonly file?: string;
  readonly set?: readonly string[];
}

export function addTenantCommands(program: Command, cli: Cli): void {
  const tenant = program.command('tenant').description('the companies of the deployment');
  tenant.command('list').description('all tenants that the key sees').action(cli.action(listTenants));
  tenant
    .command('show')
    .description('one tenant with its settings')
    .argument('[tenant]')
    .action(cli.action(showTenant));
  withChanges(tenant.command('create').description('create a tenant').argument('<tenant>', 'its SIP domain')).action(
    cli.action(createTenant),
  );
  withChanges(tenant.command('update').description('change settings of a tenant').argument('<tenant>')).action(
    cli.action(updateTenant),
  );
  tenant
    .command('delete')
    .description('delete a tenant with everything in it, and close its connections')
    .argument('<tenant>')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'return when nothing is left of it')
    .action(cli.action(deleteTenant));
}

const withChanges = (command: Command): Command =>
  command
    .option('--display-name <name>', 'name for people')
    .option('--set <name=value>', 'a setting, such as watch.default=sameGroup; may stand several times', repeated)
    .option('--file <file>', 'settings as a JSON object: policy, signIn, watch, quotas');

async function listTenants({ api, out }: Session): Promise<void> {
  const items = await collected(api.items<Tenant>('/tenants'));
  out.list(
    items,
    [
      { title: 'tenant', of: ({ domain }) => domain },
      { title: 'name', of: ({ displayName }) => displayName },
      { title: 'state', of: ({ state }) => state },
    ],
    'No tenant yet: lampfield tenant create acme.example.',
  );
}

async function showTenant(session: Session, named?: string): Promise<void> {
  const tenant = await session.tenant(named);
  const { body } = await session.api.request<Settings>('GET', path`/tenants/${tenant}`);
  session.out.document(body, () => session.out.facts(flattened(body)));
}

function settingsOf(before: Settings, { displayName, file, set = [] }: Changes): Settings {
  const given = file === undefined ? {} : readSettings(readFileSync(file, 'utf8'), file);
  return withAssignments({ ...before, ...given, ...(displayName !== undefined && { displayName }) }, set);
}

async function createTenant({ api, out }: Session, tenant: string, changes: Changes): Promise<void> {
  const body = settingsOf({}, changes);
  const where = path`/tenants/${tenant}`;
  const answer = await api.request<Settings>('PUT', where, { body, ifNoneMatch: '*' }).catch((error: unknown) => {
    if (!isRefusedWith(error, 412)) throw error;
    throw refusal(`there is a tenant ${tenant} already.`, 'Change it with lampfield tenant update.');
  });
  out.document(answer.body, () => `Created ${tenant}.`);
}

async function updateTenant({ api, out }: Session, tenant: string, changes: Changes): Promise<void> {
  const changed = await changeTenant(api, tenant, (settings) => settingsOf(settings, changes));
  out.document(changed, () => `Changed ${tenant}.`);
}

const LOOK_EVERY_MS = 500;
const PATIENCE_MS = 10 * 60_000;

async function deleteTenant(
  session: Session,
  tenant: string,
  { yes, wait }: { yes?: boolean; wait?: boolean },
): Promise<void> {
  const { api, out } = session;
  await confirmByName(`This deletes ${tenant} with all users, lists, keys, calls and lamps`, tenant, yes);
  await api.request('DELETE', path`/tenants/${tenant}`);
  if (wait !== true)
    return out.document(
      { tenant, state: 'deleting' },
      () => `${tenant} is being deleted; nobody can sign in any more.`,
    );
  await untilGone(session, tenant);
  out.document({ tenant, state: 'deleted' }, () => `Deleted ${tenant}; nothing of it is left.`);
}

async function untilGone({ api }: Session, tenant: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (performance.now() < deadlineMs) {
    const isGone = await api.get(path`/tenants/${tenant}`).then(
      () => false,
      (error: unknown) => {
        if (isRefusedWith(error, 404)) return true;
        throw error;
      },
    );
    if (isGone) return;
    await sleep(LOOK_EVERY_MS);
  }
  throw refusal(`${tenant} is still being deleted.`, 'It goes on by itself; look with lampfield tenant show.');
}
