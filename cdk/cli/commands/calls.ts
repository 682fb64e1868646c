/** `lampfield calls`: live calls. */
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import { confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { durationText, relativeText } from '../format.ts';
import { collected } from '../output.ts';
import type { Call } from '../resources.ts';
import { flattened, type Settings } from '../settings-text.ts';

export function addCallCommands(program: Command, cli: Cli): void {
  const calls = program.command('calls').description('live calls, and how to end one');
  calls
    .command('list', { isDefault: true })
    .description('live calls, the oldest first')
    .option('--all', 'of all tenants')
    .action(cli.action(listCalls));
  calls.command('show').description('one call').argument('<call-id>').action(cli.action(showCall));
  calls
    .command('end')
    .description('end a call: BYE to both, CANCEL while it rings')
    .argument('<call-id>')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(endCall));
}

async function listCalls(session: Session, { all }: { all?: boolean }): Promise<void> {
  const where = all ? '/calls' : path`/tenants/${await session.tenant()}/calls`;
  const items = await collected(session.api.items<Call>(where));
  const nowMs = session.now();
  session.out.list(
    items,
    [
      { title: 'from', of: ({ from }) => from },
      { title: 'to', of: ({ to }) => to },
      { title: 'state', of: ({ state }) => state },
      { title: 'began', of: ({ init }) => relativeText(init, nowMs) },
      {
        title: 'talking',
        of: ({ start, duration }) => (start === undefined ? undefined : durationText(duration * 1_000)),
      },
      { title: 'call-id', of: ({ callId }) => callId },
    ],
    'Nobody is in a call.',
  );
}

const placeOf = async (session: Session, callId: string): Promise<string> =>
  path`/tenants/${await session.tenant()}/calls/${callId}`;

async function showCall(session: Session, callId: string): Promise<void> {
  const body = await session.api.get<Settings>(await placeOf(session, callId));
  session.out.document(body, () => session.out.facts(flattened(body)));
}

async function endCall(session: Session, callId: string, { yes }: { yes?: boolean }): Promise<void> {
  await confirmByName(`This ends the call ${callId} for both`, 'end', yes);
  await session.api.request('DELETE', await placeOf(session, callId));
  session.out.document({ callId, ended: true }, () => `Ended ${callId}.`);
}
