/** `lampfield secret` and `lampfield issuer`: how portals and identity providers sign people in. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import { askSecret, confirmByName } from '../ask.ts';
import type { Cli, Session } from '../cli.ts';
import { refusal, usageFailure } from '../failure.ts';
import { relativeText } from '../format.ts';
import type { Issuer, SharedSecret } from '../resources.ts';
import { readSettings, type Settings } from '../settings-text.ts';
import { changeTenant } from '../tenant-settings.ts';
import { seconds } from './arguments.ts';

const SECRET_HELP = `
From the secret a portal makes credentials for any SIP client: user name <expiry, seconds since 1970>:<user>, a day ahead at most,
password base64(HMAC-SHA-256(secret, user name)).`;

export function addSecretCommands(program: Command, cli: Cli): void {
  const secret = program.command('secret').description('secrets from which portals make credentials for a while');
  secret.command('list').description('their ids').action(cli.action(listSecrets));
  secret
    .command('set')
    .description('set a secret, or have one made, which is shown once')
    .argument('<id>', 'as the tenant calls it')
    .option('--secret-stdin', 'read it from standard input, or ask for it')
    .addHelpText('after', SECRET_HELP)
    .action(cli.action(setSecret));
  secret
    .command('delete')
    .description('end a secret: what was made from it is refused, who has signed in with that is signed out')
    .argument('<id>')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(deleteSecret));
}

export function addIssuerCommands(program: Command, cli: Cli): void {
  const issuer = program.command('issuer').description('identity providers whose tokens sign users in');
  issuer.command('list').description('issuers that the tenant trusts').action(cli.action(listIssuers));
  issuer
    .command('set')
    .description('trust an issuer, or change how')
    .argument('<issuer>', 'its URL, the iss of its tokens')
    .requiredOption('--audience <audience>', 'the aud of tokens for this tenant')
    .option('--jwks-uri <url>', 'where its public keys are')
    .option('--jwks <file>', 'its public keys, as a JSON Web Key Set')
    .option('--user-claim <claim>', 'the claim that names the user (sub without it)')
    .option('--algorithms <names>', 'signatures that are taken, with commas between them')
    .option('--clock-skew <time>', 'how far its clock may be off, such as 30s', seconds)
    .action(cli.action(setIssuer));
  issuer
    .command('remove')
    .description('trust an issuer no longer: who has signed in with its tokens is signed out')
    .argument('<issuer>')
    .option('-y, --yes', 'do not ask')
    .action(cli.action(removeIssuer));
}

const secretsOf = async (session: Session): Promise<string> => path`/tenants/${await session.tenant()}/shared-secrets`;

async function listSecrets(session: Session): Promise<void> {
  const { items } = await session.api.get<{ items: SharedSecret[] }>(await secretsOf(session));
  const nowMs = session.now();
  session.out.list(
    items,
    [
      { title: 'id', of: ({ id }) => id },
      { title: 'set', of: ({ createdAt }) => relativeText(createdAt, nowMs) },
    ],
    'No shared secret yet: lampfield secret set <id>.',
  );
}

/** A secret that was made goes alone to standard output, so that it can be piped to where it is kept. */
async function setSecret(session: Session, id: string, { secretStdin }: { secretStdin?: boolean }): Promise<void> {
  const given = secretStdin ? { secret: await askSecret('Secret') } : {};
  const where = `${await secretsOf(session)}${path`/${id}`}`;
  const { body } = await session.api.request<SharedSecret>('PUT', where, { body: given });
  const { secret } = body;
  if (secret !== undefined) session.out.note(`Secret ${id}; it is shown this once:`);
  session.out.document(body, () => secret ?? `Set the secret ${id}.`);
}

async function deleteSecret(session: Session, id: string, { yes }: { yes?: boolean }): Promise<void> {
  await confirmByName(`This ends the secret ${id} and what was made from it`, id, yes);
  await session.api.request('DELETE', `${await secretsOf(session)}${path`/${id}`}`);
  session.out.document({ id, deleted: true }, () => `Ended the secret ${id}.`);
}

interface IssuerOptions {
  readonly audience: string;
  readonly jwksUri?: string;
  readonly jwks?: string;
  readonly userClaim?: string;
  readonly algorithms?: string;
  readonly clockSkew?: number;
}

async function listIssuers(session: Session): Promise<void> {
  const tenant = await session.api.get<{ signIn?: { issuers?: Issuer[] } }>(path`/tenants/${await session.tenant()}`);
  session.out.list(
    tenant.signIn?.issuers ?? [],
    [
      { title: 'issuer', of: ({ issuer }) => issuer },
      { title: 'audience', of: ({ audience }) => audience },
      { title: 'user claim', of: ({ userClaim }) => userClaim ?? 'sub' },
      { title: 'keys', of: (issuer) => ('jwksUri' in issuer ? issuer.jwksUri : `${issuer.jwks.keys.length} given`) },
    ],
    'No issuer is trusted.',
  );
}

async function setIssuer(session: Session, issuer: string, options: IssuerOptions): Promise<void> {
  const { audience, userClaim, algorithms, clockSkew } = options;
  const made = {
    ...{ issuer, audience, ...keysOf(options), userClaim, clockSkewSeconds: clockSkew },
    algorithms: algorithms?.split(',').map((name) => name.trim()),
  };
  const tenant = await session.tenant();
  await changeTenant(session.api, tenant, (settings) =>
    withIssuers(settings, (issuers) => [...issuers.filter((each) => each.issuer !== issuer), made]),
  );
  session.out.document(made, () => `${tenant} trusts ${issuer}.`);
}

/** @throws {CliFailure} unless there is just one way to its keys */
function keysOf({ jwksUri, jwks }: IssuerOptions): Settings {
  if ((jwksUri === undefined) === (jwks === undefined))
    throw usageFailure('where are the keys of the issuer?', 'Give either --jwks-uri or --jwks.');
  return jwks === undefined ? { jwksUri } : { jwks: readSettings(readFileSync(jwks, 'utf8'), jwks) };
}

async function removeIssuer(session: Session, issuer: string, { yes }: { yes?: boolean }): Promise<void> {
  const tenant = await session.tenant();
  await confirmByName(`This signs out whom ${issuer} has signed in to ${tenant}`, 'remove', yes);
  await changeTenant(session.api, tenant, (settings) =>
    withIssuers(settings, (issuers) => {
      const others = issuers.filter((each) => each.issuer !== issuer);
      if (others.length < issuers.length) return others;
      throw refusal(`${tenant} does not trust ${issuer}.`, 'lampfield issuer list shows those it does.');
    }),
  );
  session.out.document({ issuer, removed: true }, () => `${tenant} trusts ${issuer} no longer.`);
}

/** What PUT takes of a tenant, with other issuers. */
function withIssuers(settings: Settings, revise: (issuers: readonly Settings[]) => readonly Settings[]): Settings {
  const signIn = (settings.signIn ?? {}) as { readonly issuers?: readonly Settings[] };
  return { ...settings, signIn: { ...signIn, issuers: revise(signIn.issuers ?? []) } };
}
