/** The commands of `lampfield`, as one tree. */
import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import type { Cli } from './cli.ts';
import { addCallCommands } from './commands/calls.ts';
import { addConnectionCommands } from './commands/connections.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addKeyCommands, addTokenCommands } from './commands/keys.ts';
import { addLampCommands } from './commands/lamps.ts';
import { addListCommands } from './commands/lists.ts';
import { addOversightCommands } from './commands/oversight.ts';
import { addProfileCommands } from './commands/profiles.ts';
import { addIssuerCommands, addSecretCommands } from './commands/sign-in.ts';
import { addTenantCommands } from './commands/tenants.ts';
import { addTrunkCommands } from './commands/trunk.ts';
import { addUserCommands } from './commands/users.ts';
import { addWatchCommand } from './commands/watch.ts';
import { addWebhookCommands } from './commands/webhooks.ts';
import { EXIT } from './failure.ts';

const FAMILIES = [
  ...[addProfileCommands, addTenantCommands, addUserCommands, addListCommands, addKeyCommands, addTokenCommands],
  ...[addSecretCommands, addIssuerCommands, addTrunkCommands, addConnectionCommands, addWebhookCommands],
  ...[addWatchCommand, addLampCommands, addCallCommands, addOversightCommands, addDoctorCommand],
];

const EPILOGUE = `
Exit codes: ${EXIT.ok} done, ${EXIT.refused} refused or failed, ${EXIT.usage} the command is wrong, ${EXIT.unreachable} the deployment cannot be reached.
Environment: LAMPFIELD_URL, LAMPFIELD_KEY, LAMPFIELD_GATEWAY, LAMPFIELD_TENANT, LAMPFIELD_PROFILE, NO_COLOR.`;

export function programOf(cli: Cli, version: string): Command {
  const program = new Command('lampfield')
    .description('Runs a Lampfield deployment: tenants, people, keys, lamps, calls.')
    .version(version)
    .option('--json', 'write JSON: one document, or a line for each event')
    .option('--profile <name>', 'use this login instead of the current one')
    .option('--url <url>', 'address of the HTTP API')
    .option('--gateway <url>', 'WebSocket address of the gateway (wss://…)')
    .option('-t, --tenant <tenant>', 'the tenant that is meant, such as acme.example')
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .addHelpText('after', EPILOGUE);
  for (const add of FAMILIES) add(program, cli);
  settle(program);
  addCompletion(program);
  return program;
}

/** Every command shows the options of all, and ends by throwing instead of on its own. */
function settle(command: Command): void {
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(add --help to see how it is used)');
  for (const each of command.commands) settle(each);
}

/** `lampfield complete bash|zsh|fish|powershell` writes what the shell needs. */
function addCompletion(program: Command): void {
  tab(program);
  const command = program.commands.find((each) => each.name() === 'complete');
  command?.description('write the completion script of a shell: source <(lampfield complete bash)');
}
