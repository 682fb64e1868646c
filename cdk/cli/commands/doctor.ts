/** `lampfield doctor`: goes the whole way through a deployment and measures each hop. */
import type { Command } from 'commander';
import { askSecret } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { type DoctorAccount, namedAccount, temporaryAccount } from '../doctor/account.ts';
import { apiChecks } from '../doctor/api-checks.ts';
import { type Check, type CheckResult, runChecks } from '../doctor/checks.ts';
import { networkChecks } from '../doctor/network-checks.ts';
import { sipChecks } from '../doctor/sip-checks.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { counted } from '../format.ts';
import type { Colour } from '../output.ts';

interface DoctorOptions {
  readonly user?: string;
  readonly password?: string;
}

const MARKS = { ok: '✓', warning: '!', failed: '✗', skipped: '·' } as const;
const COLOURS = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' } as const satisfies Record<
  string,
  Colour
>;
const API_WITHIN_MS = 10_000;
const NAME_WIDTH = 20;
const TIME_WIDTH = 10;

export function addDoctorCommand(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description('check a deployment end to end, with the time of each hop')
    .option('--user <user>', 'go the way of this user, whose lamp is red for a moment; otherwise of a temporary tenant')
    .option(
      '--password <password>',
      'its password; better in LAMPFIELD_PASSWORD, typed when asked, or sent to standard input',
    )
    .action(cli.action(doctor));
}

async function doctor(session: Session, options: DoctorOptions): Promise<void> {
  const gateway = session.gatewayUrl;
  const someone = await accountOf(session, options);
  const sip = sipChecks(gateway, someone.account, someone.check);
  const checks: Check[] = [
    ...(options.user === undefined
      ? apiChecks(session.api.inAHurry(API_WITHIN_MS), session.now())
      : apiChecksIfKnown(session)),
    ...someone.checks,
    ...networkChecks('gateway', gateway, session.now()),
    ...sip.checks,
    ...someone.afterwards,
  ];
  const results = await runChecks(checks, (result) => tell(session, result)).finally(sip.close);
  finish(session, results);
}

async function accountOf(session: Session, { user, password }: DoctorOptions): Promise<DoctorAccount> {
  if (user === undefined) return temporaryAccount(session.api.inAHurry(API_WITHIN_MS), 'API key');
  const { user: name, tenant: domain } = await session.userAt(user);
  const secret = password ?? (session.world.env.LAMPFIELD_PASSWORD || (await askSecret('Password')));
  return namedAccount({ user: name, domain, password: secret });
}

/** With a user's password the SIP side can be checked without any key. */
function apiChecksIfKnown(session: Session): Check[] {
  try {
    return apiChecks(session.api.inAHurry(API_WITHIN_MS), session.now());
  } catch {
    session.out.note('The HTTP API is not checked: no address or key is known (lampfield login).');
    return [];
  }
}

function tell({ out }: Session, { check, outcome, ms, detail, advice }: CheckResult): void {
  if (out.isJson) return;
  const time = ms === undefined ? '' : `${ms.toFixed(1)} ms`;
  const mark = out.paint(COLOURS[outcome], MARKS[outcome]);
  out.line(`${mark} ${check.padEnd(NAME_WIDTH)} ${time.padStart(TIME_WIDTH)}  ${detail}`);
  if (advice !== undefined && outcome !== 'ok') out.line(out.paint('yellow', `    ${advice}`));
}

/** @throws {CliFailure} when something failed, after everything was told */
function finish({ out }: Session, results: readonly CheckResult[]): void {
  const failed = results.filter(({ outcome }) => outcome === 'failed');
  out.document({ ok: failed.length === 0, checks: results }, () =>
    failed.length === 0 ? `All is well: ${counted(results.length, 'check')}.` : '',
  );
  const [first] = failed;
  if (first === undefined) return;
  const isNetwork = /(DNS|TCP|TLS|WebSocket)$/.test(first.check);
  throw new CliFailure(`${counted(failed.length, 'check')} failed, first ${first.check}: ${first.detail}.`, {
    exitCode: isNetwork ? EXIT.unreachable : EXIT.refused,
  });
}
