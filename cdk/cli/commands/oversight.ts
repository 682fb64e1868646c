/** `lampfield limits`, `audit` and `export`: what a tenant uses, who changed what, and all that there is. */
import { once } from 'node:events';
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import type { Cli, Session } from '../cli.ts';
import { clockText, timeMs } from '../format.ts';
import type { AuditLine, Limit } from '../resources.ts';
import { seconds, wholeNumber } from './arguments.ts';

const BAR_WIDTH = 20;
const MOST_LINES = 100;
const EXPORT_PAGE = 200;

export function addOversightCommands(program: Command, cli: Cli): void {
  program.command('limits').description('what a tenant may use, and what it uses').action(cli.action(showLimits));
  program
    .command('audit')
    .description('who changed what, the newest first')
    .option('--operator', 'changes of tenants and of the keys of operators')
    .option('--since <time>', 'no older than this, such as 7d', seconds)
    .option('--limit <number>', 'how many at most', wholeNumber(1, 100_000), MOST_LINES)
    .action(cli.action(showAudit));
  program
    .command('export')
    .description('all data of a tenant as JSON lines, without secrets: lampfield export acme.example > acme.jsonl')
    .argument('[tenant]')
    .action(cli.action(exportTenant));
}

async function showLimits(session: Session): Promise<void> {
  const { out, api } = session;
  const body = await api.get<{ items: Limit[] }>(path`/tenants/${await session.tenant()}/limits`);
  const colours = { normal: 'green', near: 'yellow', full: 'red' } as const;
  const paint = (text: string, { state }: Limit): string =>
    out.paint(colours[state as keyof typeof colours] ?? 'dim', text);
  out.document(body, () =>
    out.table(body.items, [
      { title: 'limit', of: ({ name }) => name },
      { title: 'use', of: ({ use }) => rounded(use), align: 'right' },
      { title: 'of', of: ({ limit }) => limit, align: 'right' },
      { title: '', of: ({ share }) => `${barOf(share)} ${Math.round(share * 100)} %`, paint },
      { title: 'refused', of: ({ refused }) => refused ?? 0, align: 'right' },
    ]),
  );
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

function barOf(share: number): string {
  const full = Math.min(Math.ceil(share * BAR_WIDTH), BAR_WIDTH);
  return '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
}

interface AuditOptions {
  readonly operator?: boolean;
  readonly since?: number;
  readonly limit: number;
}

async function showAudit(session: Session, { operator, since, limit }: AuditOptions): Promise<void> {
  const where = operator ? '/audit' : path`/tenants/${await session.tenant()}/audit`;
  const fromMs = since === undefined ? 0 : session.now() - since * 1_000;
  const items: AuditLine[] = [];
  for await (const line of session.api.items<AuditLine>(where, { limit: Math.min(limit, 200) })) {
    if (items.length >= limit || (timeMs(line.at) ?? 0) < fromMs) break;
    items.push(line);
  }
  session.out.list(
    items,
    [
      { title: 'when', of: ({ at }) => `${at.slice(0, 10)} ${clockText(at, false)}` },
      { title: 'key', of: ({ by }) => by },
      { title: 'did', of: ({ action }) => action },
      { title: 'to', of: ({ resource }) => resource },
    ],
    'Nothing was changed.',
  );
}

/** Page after page, as fast as it is read. */
async function exportTenant(session: Session, named?: string): Promise<void> {
  const where = path`/tenants/${await session.tenant(named)}/export`;
  const { stdout } = session.world.streams;
  let cursor: string | undefined;
  do {
    const response = await session.api.open(where, { limit: EXPORT_PAGE, cursor });
    const text = await response.text();
    if (!stdout.write(text)) await once(stdout, 'drain');
    cursor = response.headers.get('x-next-cursor') ?? undefined;
  } while (cursor !== undefined);
}
