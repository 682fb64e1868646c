/** What every command has: where to, with which key, in which tenant, and where its words go. */
import type { Command } from 'commander';
import { ApiClient, normalizedUrl } from './api-client.ts';
import { type CliFailure, refusal, usageFailure } from './failure.ts';
import { Output, type Streams } from './output.ts';
import {
  type Configuration,
  configurationFile,
  type Profile,
  readConfiguration,
  writeConfiguration,
} from './profiles.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly profile?: string;
  readonly url?: string;
  readonly gateway?: string;
  readonly tenant?: string;
  readonly yes?: boolean;
}

export const DEFAULT_PROFILE = 'default';

export interface World {
  readonly env: NodeJS.ProcessEnv;
  readonly streams: Streams;
  now(): number;
}

/** One run of `lampfield`. */
export class Cli {
  readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** Makes the action of a command: its own arguments follow the session. */
  action<A extends unknown[]>(body: (session: Session, ...given: A) => Promise<void> | void) {
    return async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command;
      await body(new Session(this.world, command.optsWithGlobals<GlobalOptions>()), ...(given.slice(0, -1) as A));
    };
  }
}

/** One command that runs. */
export class Session {
  readonly world: World;
  readonly options: GlobalOptions;
  readonly out: Output;
  readonly #file: string;
  #api: ApiClient | undefined;

  constructor(world: World, options: GlobalOptions) {
    this.world = world;
    this.options = options;
    this.out = new Output(world.streams, { json: options.json === true, env: world.env });
    this.#file = configurationFile(world.env);
  }

  now(): number {
    return this.world.now();
  }

  readConfiguration(): Configuration {
    return readConfiguration(this.#file);
  }

  writeConfiguration(value: Configuration): void {
    writeConfiguration(this.#file, value);
  }

  /** Name of the profile that is asked for, or the current one. */
  get profileName(): string {
    return (
      this.options.profile ?? this.world.env.LAMPFIELD_PROFILE ?? this.readConfiguration().current ?? DEFAULT_PROFILE
    );
  }

  /** @throws {CliFailure} when a profile is asked for that is not there */
  get profile(): Partial<Profile> {
    const { profiles } = this.readConfiguration();
    const known = Object.hasOwn(profiles, this.profileName) ? profiles[this.profileName] : undefined;
    if (known === undefined && this.options.profile !== undefined) throw unknownProfile(this.options.profile, profiles);
    return known ?? {};
  }

  /** The HTTP API with the key. @throws {CliFailure} when address or key are not known */
  get api(): ApiClient {
    this.#api ??= new ApiClient({ url: this.apiUrl, key: this.#key() });
    return this.#api;
  }

  /** @throws {CliFailure} */
  get apiUrl(): string {
    const given = this.options.url ?? this.world.env.LAMPFIELD_URL ?? this.profile.url;
    if (given === undefined)
      throw usageFailure('where is the HTTP API?', 'Run lampfield login, or give --url or LAMPFIELD_URL.');
    const url = normalizedUrl(given);
    if (url === undefined) throw usageFailure(`${given} is no http: or https: address.`);
    return url;
  }

  #key(): string {
    const key = this.world.env.LAMPFIELD_KEY || this.#keyOfProfile();
    if (key) return key;
    throw usageFailure('there is no key.', 'Run lampfield login, or give LAMPFIELD_KEY.');
  }

  /** A key goes only where it was given for: not to another address than its profile's. */
  #keyOfProfile(): string | undefined {
    const { key, url } = this.profile;
    if (key === undefined || url === this.apiUrl) return key;
    throw usageFailure(
      `the profile ${this.profileName} is for ${url}, not for ${this.apiUrl}.`,
      'Give the key of this address in LAMPFIELD_KEY, or log in to it under a --profile of its own.',
    );
  }

  /** WebSocket URL of the gateway. @throws {CliFailure} when it is not known */
  get gatewayUrl(): string {
    const given = this.options.gateway ?? this.world.env.LAMPFIELD_GATEWAY ?? this.profile.gateway;
    if (given === undefined)
      throw usageFailure(
        'where is the gateway?',
        'Give --gateway wss://… or LAMPFIELD_GATEWAY, or tell it to lampfield login.',
      );
    return checkedGateway(given);
  }

  /** Tenant that is named beside the command, or the only one that the key sees. @throws {CliFailure} */
  async tenant(named?: string): Promise<string> {
    const given = named ?? this.options.tenant ?? this.world.env.LAMPFIELD_TENANT ?? this.profile.tenant;
    if (given !== undefined) return given.toLowerCase();
    const { items } = await this.api.get<{ items: { domain: string }[] }>('/tenants', { limit: 2 });
    if (items.length === 1 && items[0] !== undefined) return items[0].domain;
    throw usageFailure(
      'which tenant?',
      'Give --tenant or LAMPFIELD_TENANT, or choose one: lampfield profile tenant <tenant>.',
    );
  }

  /** A user with its tenant, from `1001` or `1001@acme.example`. @throws {CliFailure} */
  async userAt(text: string): Promise<{ user: string; tenant: string }> {
    const [, user = '', domain] = /^(?:sips?:)?([^@]+)(?:@([^@;]+))?$/.exec(text) ?? [];
    if (user === '')
      throw usageFailure(`${JSON.stringify(text)} is no user.`, 'Write it as 1001 or 1001@acme.example.');
    if (
      domain !== undefined &&
      this.options.tenant !== undefined &&
      domain.toLowerCase() !== this.options.tenant.toLowerCase()
    )
      throw refusal(`${text} is not in ${this.options.tenant}.`);
    return { user, tenant: await this.tenant(domain) };
  }
}

/** @throws {CliFailure} when it is no WebSocket address */
export function checkedGateway(text: string): string {
  if (URL.canParse(text) && /^wss?:$/.test(new URL(text).protocol)) return new URL(text).href;
  throw usageFailure(`${text} is no ws: or wss: address.`);
}

export function unknownProfile(name: string, profiles: Configuration['profiles']): CliFailure {
  const names = Object.keys(profiles ?? {});
  const there = names.length === 0 ? 'There is none yet: lampfield login.' : `There are ${names.join(', ')}.`;
  return usageFailure(`there is no profile ${name}.`, there);
}
