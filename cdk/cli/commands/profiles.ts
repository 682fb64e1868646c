/** `lampfield login` and `lampfield profile`: which deployments there are, and with which key. */
import type { Command } from 'commander';
import { ApiClient, normalizedUrl } from '../api-client.ts';
import { ask, askSecret } from '../ask.ts';
import { type Cli, checkedGateway, type Session, unknownProfile } from '../cli.ts';
import { usageFailure } from '../failure.ts';
import type { Profile } from '../profiles.ts';

const SHOWN_OF_KEY = 15;

export function addProfileCommands(program: Command, cli: Cli): void {
  program
    .command('login')
    .description('keep address and key of a deployment, and use it from now on')
    .option('--key <key>', 'the key; better typed when asked, or sent to standard input')
    .option('--no-check', 'keep it without trying it')
    .action(cli.action(login));
  const profile = program.command('profile').description('the deployments that were logged in to');
  profile.command('list').description('all of them').action(cli.action(listProfiles));
  profile.command('use').description('use this one from now on').argument('<name>').action(cli.action(useProfile));
  profile.command('show').description('one of them').argument('[name]').action(cli.action(showProfile));
  profile
    .command('tenant')
    .description('the tenant of commands that name none')
    .argument('<tenant>')
    .action(cli.action(chooseTenant));
  profile.command('remove').description('forget one').argument('<name>').action(cli.action(removeProfile));
}

async function login(session: Session, { key: given, check }: { key?: string; check: boolean }): Promise<void> {
  const { options, world, out } = session;
  const text =
    options.url ?? world.env.LAMPFIELD_URL ?? (process.stdin.isTTY ? await ask('Address of the HTTP API: ') : '');
  const url = normalizedUrl(text);
  if (url === undefined)
    throw usageFailure('the address must begin with https:// or http://.', 'Give --url https://…/v1.');
  const key = given ?? (world.env.LAMPFIELD_KEY || (await askSecret('Key')));
  const gateway = options.gateway ?? world.env.LAMPFIELD_GATEWAY;
  if (check) await new ApiClient({ url, key }).get('/tenants', { limit: 1 });
  const name = session.profileName;
  const profile: Profile = {
    ...{ url, key },
    ...(gateway !== undefined && { gateway: checkedGateway(gateway) }),
    ...(options.tenant !== undefined && { tenant: options.tenant.toLowerCase() }),
  };
  const known = session.readConfiguration();
  session.writeConfiguration({ current: name, profiles: { ...known.profiles, [name]: profile } });
  out.document(shown(name, profile, true), () => `Logged in to ${url} as profile ${name}.`);
}

const shown = (name: string, { key, ...rest }: Profile, isCurrent: boolean) => ({
  name,
  ...rest,
  // A key of ours begins with its public id; of others nothing is shown.
  key: key.startsWith('lf_') ? `${key.slice(0, SHOWN_OF_KEY)}…` : '…',
  current: isCurrent,
});

function listProfiles(session: Session): void {
  const { profiles } = session.readConfiguration();
  const items = Object.entries(profiles).map(([name, each]) => shown(name, each, name === session.profileName));
  session.out.list(
    items,
    [
      { title: '', of: ({ current }) => (current ? '*' : ' ') },
      { title: 'name', of: ({ name }) => name },
      { title: 'url', of: ({ url }) => url },
      { title: 'gateway', of: ({ gateway }) => gateway },
      { title: 'tenant', of: ({ tenant }) => tenant },
      { title: 'key', of: ({ key }) => key },
    ],
    'No profile yet: lampfield login.',
  );
}

/** @throws {CliFailure} when there is none of that name */
function profileNamed(session: Session, name: string): Profile {
  const { profiles } = session.readConfiguration();
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile === undefined) throw unknownProfile(name, profiles);
  return profile;
}

function useProfile(session: Session, name: string): void {
  const profile = profileNamed(session, name);
  session.writeConfiguration({ ...session.readConfiguration(), current: name });
  session.out.document(shown(name, profile, true), () => `Using ${name}: ${profile.url}.`);
}

function showProfile(session: Session, given?: string): void {
  const name = given ?? session.profileName;
  const document = shown(name, profileNamed(session, name), name === session.profileName);
  session.out.document(document, () => session.out.facts(document));
}

function chooseTenant(session: Session, tenant: string): void {
  const name = session.profileName;
  const profile = { ...profileNamed(session, name), tenant: tenant.toLowerCase() };
  const known = session.readConfiguration();
  session.writeConfiguration({ ...known, profiles: { ...known.profiles, [name]: profile } });
  session.out.document(shown(name, profile, true), () => `Commands mean ${profile.tenant} when they name no tenant.`);
}

function removeProfile(session: Session, name: string): void {
  profileNamed(session, name);
  const { current, profiles } = session.readConfiguration();
  const { [name]: _gone, ...rest } = profiles;
  session.writeConfiguration({ ...(current !== name && { current }), profiles: rest });
  session.out.document(
    { removed: name },
    () => `Forgotten: ${name}. The key is still good; revoke it with lampfield key revoke.`,
  );
}
