/** `lampfield trunk`: the SIP peer that takes a tenant's calls to the outside. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isRefusedWith, path } from '../api-client.ts';
import { askSecret, confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { flattened, readSettings, type Settings, withAssignments } from '../settings-text.ts';
import { repeated } from './arguments.ts';

interface TrunkOptions {
  readonly file?: string;
  readonly set?: readonly string[];
  readonly passwordStdin?: boolean;
}

const HELP = `
  lampfield trunk set --set transport=TLS --set host=sip.provider.example --set 'addresses=["192.0.2.7"]' \\
    --set account.username=acme --set account.realm=provider.example --password-stdin
What is not named stays, the password too.`;

export function addTrunkCommands(program: Command, cli: Cli): void {
  const trunk = program.command('trunk').description('the SIP peer that takes calls to the outside');
  trunk.command('show').description('the trunk of the tenant').action(cli.action(showTrunk));
  trunk
    .command('set')
    .description('set the trunk, or change some of it; it needs the key of an operator')
    .option('--set <name=value>', 'a setting, such as host=sip.provider.example; may stand several times', repeated)
    .option('--file <file>', 'settings as a JSON object: transport, host, port, addresses, callerId, account')
    .option('--password-stdin', 'read the password of the account from standard input, or ask for it')
    .addHelpText('after', HELP)
    .action(cli.action(setTrunk));
  trunk
    .command('delete')
    .description('remove the trunk: calls to the outside are no longer possible')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(deleteTrunk));
}

const placeOf = async (session: Session): Promise<string> => path`/tenants/${await session.tenant()}/trunk`;

async function showTrunk(session: Session): Promise<void> {
  const body = await session.api.get<Settings>(await placeOf(session));
  session.out.document(body, () => session.out.facts(flattened(body)));
}

async function setTrunk(session: Session, options: TrunkOptions): Promise<void> {
  const { file, set = [], passwordStdin } = options;
  const where = await placeOf(session);
  const before = await session.api.request<Settings>('GET', where).catch((error: unknown) => {
    if (isRefusedWith(error, 404)) return undefined;
    throw error;
  });
  const given = file === undefined ? {} : readSettings(readFileSync(file, 'utf8'), file);
  const settings = withAssignments({ ...before?.body, ...given }, set);
  const account = passwordStdin
    ? { ...(settings.account as Settings), password: await askSecret('Password') }
    : undefined;
  const condition = before === undefined ? { ifNoneMatch: '*' } : before.etag !== undefined && { ifMatch: before.etag };
  const body = { ...settings, ...(account && { account }) };
  const answer = await session.api.request<Settings>('PUT', where, { body, ...condition });
  session.out.document(answer.body, () => [
    'The trunk is set; calls use it within half a minute.',
    ...session.out.facts(flattened(answer.body)),
  ]);
}

async function deleteTrunk(session: Session, { yes }: { yes?: boolean }): Promise<void> {
  const tenant = await session.tenant();
  await confirmByName(`This ends calls between ${tenant} and the outside`, tenant, yes);
  await session.api.request('DELETE', await placeOf(session));
  session.out.document({ tenant, deleted: true }, () => `${tenant} has no trunk any more.`);
}
