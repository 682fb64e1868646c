/** `lampfield key` and `lampfield token`: what programs and browsers prove themselves with. */
import { type Command, Option } from 'commander';
import { path } from '../api-client.ts';
import { confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { usageFailure } from '../failure.ts';
import { durationText, relativeText } from '../format.ts';
import { collected } from '../output.ts';
import type { Key } from '../resources.ts';
import { seconds } from './arguments.ts';

interface KeyOptions {
  /** Keys of operators, which see all tenants. */
  readonly operator?: boolean;
  readonly permission?: string;
  readonly expires?: number;
  readonly grace?: number;
  readonly yes?: boolean;
}

export function addKeyCommands(program: Command, cli: Cli): void {
  const key = program.command('key').description('keys of the HTTP API');
  key.command('list').description('all keys, without their secrets').addOption(operator()).action(cli.action(listKeys));
  key
    .command('create')
    .description('make a key, which is shown once')
    .argument('<name>', 'what it is for')
    .addOption(
      new Option('--permission <permission>', 'what it may do').choices(['admin', 'ingest', 'read']).default('admin'),
    )
    .option('--expires <time>', 'when it ends by itself, such as 90d', seconds)
    .addOption(operator())
    .action(cli.action(createKey));
  key
    .command('rotate')
    .description('make a new secret, which is shown once')
    .argument('<id>', 'the id or the prefix of the key')
    .option('--grace <time>', 'how long the old secret stays good, such as 1h', seconds)
    .addOption(operator())
    .action(cli.action(rotateKey));
  key
    .command('revoke')
    .description('end a key within seconds')
    .argument('<id>', 'the id or the prefix of the key')
    .option('-y, --yes', 'do not ask')
    .addOption(operator())
    .action(cli.action(revokeKey));
}

export function addTokenCommands(program: Command, cli: Cli): void {
  const token = program.command('token').description('what a portal hands to a browser that shall be signed in');
  token
    .command('create')
    .description('make a token that signs a user in')
    .argument('<user>')
    .option('--expires <time>', 'how long it is good, such as 8h', seconds, 3_600)
    .action(cli.action(createToken));
  token
    .command('revoke')
    .description(
      'end a token by its id, those of one user, or all of the tenant, with the connections they have opened',
    )
    .argument('[id]', 'as token create --json shows it')
    .option('--user <user>', 'all tokens of this user, those of issuers too')
    .option('--all', 'all that were handed out in this tenant')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(revokeTokens));
}

const operator = (): Option => new Option('--operator', 'keys that see all tenants, instead of those of one tenant');

const collectionOf = async (session: Session, { operator: isOperator }: KeyOptions): Promise<string> =>
  isOperator ? '/keys' : path`/tenants/${await session.tenant()}/keys`;

/** `lf_1234…` and `1234…` name the same key. */
const idOf = (text: string): string => text.replace(/^lf_/, '').replace(/_.*$/, '');

async function listKeys(session: Session, options: KeyOptions): Promise<void> {
  const items = await collected(session.api.items<Key>(await collectionOf(session, options)));
  const nowMs = session.now();
  session.out.list(
    items,
    [
      { title: 'key', of: ({ prefix }) => prefix },
      { title: 'name', of: ({ name }) => name },
      { title: 'permission', of: ({ permission }) => permission },
      { title: 'created', of: ({ createdAt }) => relativeText(createdAt, nowMs) },
      { title: 'last used', of: ({ lastUsedAt }) => relativeText(lastUsedAt, nowMs) ?? 'never' },
      { title: 'ends', of: ({ expiresAt }) => relativeText(expiresAt, nowMs) },
      { title: 'old secret ends', of: ({ previousUntil }) => relativeText(previousUntil, nowMs) },
    ],
    'No key yet: lampfield key create <name>.',
  );
}

async function createKey(session: Session, name: string, options: KeyOptions): Promise<void> {
  const { permission, expires } = options;
  const body = {
    ...{ name, permission },
    ...(expires !== undefined && { expiresAt: new Date(session.now() + expires * 1_000).toISOString() }),
  };
  const answer = await session.api.request<Key>('POST', await collectionOf(session, options), { body });
  showSecret(session, answer.body, 'Key');
}

async function rotateKey(session: Session, id: string, options: KeyOptions): Promise<void> {
  const where = `${await collectionOf(session, options)}${path`/${idOf(id)}/rotate`}`;
  const body = { ...(options.grace !== undefined && { graceSeconds: options.grace }) };
  showSecret(session, (await session.api.request<Key>('POST', where, { body })).body, 'New key');
}

/** The secret alone goes to standard output, so that it can be piped to where it is kept. */
function showSecret({ out }: Session, key: Key, what: string): void {
  out.note(`${what} ${key.prefix} (${key.name}, ${key.permission}); it is shown this once:`);
  out.document(key, () => key.key ?? '');
}

async function revokeKey(session: Session, id: string, options: KeyOptions): Promise<void> {
  const short = idOf(id);
  await confirmByName(`This ends the key lf_${short} for whoever uses it`, short, options.yes);
  await session.api.request('DELETE', `${await collectionOf(session, options)}${path`/${short}`}`);
  session.out.document({ id: short, revoked: true }, () => `Revoked lf_${short}; it is refused within 5 s.`);
}

interface RevokeOptions {
  readonly user?: string;
  readonly all?: boolean;
  readonly yes?: boolean;
}

/** @throws {CliFailure} unless just one of the three is named */
async function revokeTokens(
  session: Session,
  id: string | undefined,
  { user, all, yes }: RevokeOptions,
): Promise<void> {
  if ([id, user, all].filter((each) => each !== undefined).length !== 1)
    throw usageFailure('which tokens?', 'Give the id of one, or --user, or --all.');
  const owner = user === undefined ? undefined : await session.userAt(user);
  const tenant = owner?.tenant ?? (await session.tenant());
  const ofTenant = id === undefined ? path`/tenants/${tenant}/tokens` : path`/tenants/${tenant}/tokens/${id}`;
  const where = owner === undefined ? ofTenant : path`/tenants/${tenant}/users/${owner.user}/tokens`;
  const what = owner ? `the tokens of ${owner.user}@${tenant}` : id === undefined ? `all tokens of ${tenant}` : id;
  await confirmByName(`This revokes ${what}`, 'revoke', yes);
  await session.api.request('DELETE', where);
  session.out.document(
    { tenant, revoked: id ?? owner?.user ?? 'all' },
    () => `Revoked ${what}; connections end within seconds.`,
  );
}

async function createToken(session: Session, named: string, { expires }: { expires: number }): Promise<void> {
  const { user, tenant } = await session.userAt(named);
  const body = { user, expiresSeconds: expires };
  const answer = await session.api.request<{ token: string }>('POST', path`/tenants/${tenant}/tokens`, { body });
  session.out.note(`Token of ${user}@${tenant}, good for ${durationText(expires * 1_000)}:`);
  session.out.document(answer.body, () => answer.body.token);
}
