/** `lampfield why` and `lampfield reset`: one lamp, how it came to be so, and how it becomes free again. */
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import { confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { refusal } from '../failure.ts';
import { counted } from '../format.ts';
import type { HistoryPage, Reset } from '../resources.ts';
import { whyLines } from '../why.ts';

export function addLampCommands(program: Command, cli: Cli): void {
  program
    .command('why')
    .description('why a lamp is as it is: its changes, what made them, and who was told')
    .argument('<user>')
    .option('--all', 'all changes that are kept, instead of the newest')
    .action(cli.action(why));
  program
    .command('reset')
    .description('take back what was published of a user: a lamp that is stuck is free again')
    .argument('<user>')
    .option('--publication <id>', 'this one only, as why shows it')
    .option('--force', 'calls that are going on, too')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(reset));
}

const FEW = 10;
const MANY = 200;

async function why(session: Session, named: string, { all }: { all?: boolean }): Promise<void> {
  const { user, tenant } = await session.userAt(named);
  const where = path`/tenants/${tenant}/presentities/${user}/history`;
  const first = await session.api.get<HistoryPage>(where, { limit: all ? MANY : FEW });
  const items = [...first.items];
  let { next } = first;
  while (all && next !== undefined) {
    const page: HistoryPage = await session.api.get<HistoryPage>(where, { limit: MANY, cursor: next });
    items.push(...page.items);
    next = page.next;
  }
  const { next: _first, ...rest } = first;
  const history: HistoryPage = { ...rest, items, ...(next !== undefined && { next }) };
  const { out } = session;
  out.document(history, () => whyLines(history, session.now(), (text) => out.paint('bold', text)));
}

interface ResetOptions {
  readonly publication?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
}

async function reset(session: Session, named: string, { publication, force, yes }: ResetOptions): Promise<void> {
  const { user, tenant } = await session.userAt(named);
  await confirmByName(`This takes back what was published of ${user}@${tenant}`, user, yes);
  const all = path`/tenants/${tenant}/presentities/${user}/publications`;
  const where = publication === undefined ? all : `${all}${path`/${publication}`}`;
  const query = { force: force ? 1 : undefined };
  const { body } = await session.api.request<Reset>('DELETE', where, { query });
  session.out.document(body, () => [
    `Took back ${counted(body.removed.length, 'publication')} of ${user}@${tenant}.`,
    ...body.kept.map(({ callId }) => `Kept the call ${callId}, which is going on: lampfield calls end, or --force.`),
  ]);
  if (body.removed.length === 0 && body.kept.length > 0) throw refusal('nothing was reset.');
}
