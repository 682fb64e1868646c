/** Two tenants, or one without the other: what the one does must look the same, whether or not the other exists. */
import { createHash } from 'node:crypto';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity } from '#contract/schemas.ts';
import { makeNonce } from '#core/nonce.ts';
import { type CallRouterPorts, routeCall } from '#roles/call-router.ts';
import { publish } from '#roles/compositor.ts';
import { type MessengerPorts, message } from '#roles/messenger.ts';
import { subscribe } from '#roles/notifier.ts';
import { register } from '#roles/registrar.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import type { Item, Table } from '#table/table.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { dialogElement, dialogInfo } from '#test/support/dialogs.ts';
import { authorizationOf, envelopeOf } from '#test/support/envelope.ts';
import { type PopulatedTenant, passwordOf, populateTenant, sipPortsOf } from '#test/support/tenant-world.ts';
import { refusalOf } from '../../lambdas/handlers/request-handler.ts';

/** What somebody of one tenant may have got hold of that is another's. */
export interface Loot {
  readonly etag: string;
  readonly publication: string;
  readonly callId: string;
  readonly keyId: string;
  readonly apiEtag: string;
  readonly cursor: string;
}

export interface Names {
  readonly own: string;
  readonly other: string;
}

/** One thing that tenant A does; `pick` numbers choose names, tokens and bodies. */
export interface Step {
  readonly kind: 'publish' | 'subscribe' | 'register' | 'signIn' | 'message' | 'invite' | 'api';
  readonly pick: readonly number[];
}

export class IsolationWorld {
  readonly names: Names;
  readonly table: Table;
  readonly rig: ApiRig;
  own!: PopulatedTenant;
  #draws = 0;
  #nowMs: number;

  private constructor(names: Names, table: Table) {
    this.names = names;
    this.table = table;
    this.rig = openApiRig({ table, random: (bytes) => this.#chance(bytes) });
    this.#nowMs = this.rig.nowMs;
  }

  static async open(names: Names, table: Table, hasOther: boolean): Promise<IsolationWorld> {
    const world = new IsolationWorld(names, table);
    world.own = await populateTenant(world.rig, names.own);
    if (hasOther) await populateTenant(world.rig, names.other);
    // From here on both worlds draw the same.
    world.#draws = 1_000_000;
    return world;
  }

  /** What looks like chance, and is the same in both worlds. */
  #chance(bytes: number): Buffer {
    this.#draws += 1;
    return createHash('sha512').update(String(this.#draws)).digest().subarray(0, bytes);
  }

  /** What is to be had of the other tenant. */
  async loot(other: PopulatedTenant): Promise<Loot> {
    const base = `/v1/tenants/${other.domain}`;
    const [page, user] = [
      await this.rig.ask('GET', `${base}/users?limit=1`),
      await this.rig.ask('GET', `${base}/users/1001`),
    ];
    return {
      ...{ etag: other.etag, publication: other.etag.split('.')[0] ?? '', callId: other.callId },
      ...{ keyId: other.key.split('_')[1] ?? '', apiEtag: user.headers.etag ?? '', cursor: page.body.next },
    };
  }

  /** @returns all that the tenant gets to know of it */
  async take({ kind, pick }: Step, loot: Loot): Promise<string> {
    this.#nowMs += 10;
    this.rig.nowMs = this.#nowMs;
    if (kind === 'api') return this.#ask(pick, loot);
    const envelope = this.#envelopeOf(kind, pick, loot);
    const answer = await this.#roleOf(kind)(envelope).catch((error: unknown) => {
      const { outcome, level } = refusalOf(error);
      if (level !== 'info') throw error;
      return outcome;
    });
    return JSON.stringify(answer);
  }

  #roleOf(kind: Exclude<Step['kind'], 'api'>): (envelope: RequestEnvelope) => Promise<OutcomeInput> {
    const telemetry = { log: () => undefined };
    const ports = { ...sipPortsOf(this.table), randomBytes: (bytes: number) => this.#chance(bytes) };
    const calls: CallRouterPorts & MessengerPorts = {
      ...{ ...ports, telemetry, leases: openLeaseBook(this.table), loadTrunk: async () => undefined },
      gateways: { forward: async () => ({ kind: 'noFlow' }) },
    };
    switch (kind) {
      case 'publish':
        return (envelope) => publish(envelope, ports, this.#nowMs);
      case 'subscribe':
        return (envelope) => subscribe(envelope, ports, this.#nowMs);
      case 'register':
      case 'signIn':
        return (envelope) => register(envelope, ports, this.#nowMs);
      case 'message':
        return (envelope) => message(envelope, calls, this.#nowMs);
      case 'invite':
        return (envelope) => routeCall(envelope, calls, this.#nowMs);
      default:
        return kind satisfies never;
    }
  }

  #envelopeOf(kind: Exclude<Step['kind'], 'api'>, pick: readonly number[], loot: Loot): RequestEnvelope {
    const { own, other } = this.names;
    const [a = 0, b = 0, c = 0, d = 0] = pick;
    const domain = one([own, other, other, 'nobody.example'], a);
    const target = `sip:${one(['1001', '1002', 'odd', 'team', 'nobody', 'ghost'], b)}@${domain}`;
    const identity: Identity = {
      domain: own,
      ...one(
        [
          { user: '1001', role: 'user' },
          { user: 'pbx', role: 'publisher' },
        ] as const,
        c,
      ),
    };
    const from = one([`sip:${identity.user}@${own}`, `sip:${identity.user}@${own}`, `sip:1001@${other}`], d);
    const base = {
      requestUri: target,
      to: target,
      from,
      callId: one([`own-${pick.join('.')}`, loot.callId, `watch-1002-${other}`], c),
      cseq: 1 + d,
    };
    const document = dialogInfo(dialogElement(String(d), one(['early', 'confirmed', 'terminated'], c)));
    switch (kind) {
      case 'publish': {
        const tag = one([undefined, undefined, loot.etag, this.own.etag], d);
        const headers: [string, string][] = [
          ['Event', 'dialog'],
          ['Content-Type', 'application/dialog-info+xml'],
        ];
        if (tag !== undefined) headers.push(['SIP-If-Match', tag]);
        return envelopeOf({ ...base, method: 'PUBLISH', identity, headers, body: document });
      }
      case 'subscribe':
        return this.#subscribe(base, identity, pick);
      case 'register':
        return envelopeOf({
          ...base,
          method: 'REGISTER',
          requestUri: `sip:${domain}`,
          identity,
          headers: [['Contact', `<${target};transport=ws>`]],
        });
      case 'signIn':
        return this.#signIn(domain, target, pick);
      case 'message':
        return envelopeOf({
          ...base,
          method: 'MESSAGE',
          identity,
          headers: [['Content-Type', 'text/plain']],
          body: 'hello',
        });
      case 'invite': {
        const replaces: [string, string][] =
          d % 2 === 0 ? [] : [['Replaces', `${loot.callId};to-tag=t;from-tag=from-1`]];
        return envelopeOf({
          ...base,
          method: 'INVITE',
          identity,
          headers: [['Contact', '<sip:x@client.invalid;transport=ws>'], ...replaces],
        });
      }
      default:
        return kind satisfies never;
    }
  }

  #subscribe(
    base: { readonly to: string },
    identity: Identity,
    [a = 0, b = 0, c = 0, d = 0]: readonly number[],
  ): RequestEnvelope {
    const { own, other } = this.names;
    const list = `<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="sip:1002@${other}"/><entry uri="sip:1002@${own}"/></list></resource-lists>`;
    const brings = d % 3 === 2;
    const headers: [string, string][] = [
      ['Contact', '<sip:x@client.invalid;transport=ws>'],
      ['Event', one(['dialog', 'presence', 'reg', 'dialog.winfo', 'message-summary'], a + b)],
      ['Supported', 'eventlist'],
      ...(brings
        ? ([
            ['Require', 'recipient-list-subscribe'],
            ['Content-Type', 'application/resource-lists+xml'],
          ] as [string, string][])
        : []),
    ];
    const envelope = envelopeOf({
      ...base,
      method: 'SUBSCRIBE',
      identity,
      headers,
      toTag: `new-${a}.${b}.${c}.${d}`,
      ...(brings && { body: list }),
    });
    const inDialog = one([undefined, undefined, `tag-1002-${other}`, `tag-1002-${own}`], c + d);
    if (inDialog === undefined) return envelope;
    const tagged = envelope.request.headers.map(([name, value]): [string, string] => [
      name,
      name === 'To' ? `${value};tag=${inDialog}` : value,
    ]);
    const presentity = one([undefined, `sip:1002@${other}`, `sip:1002@${own}`], b);
    return { ...envelope, ...(presentity && { presentity }), request: { ...envelope.request, headers: tagged } };
  }

  /** With the password of A's own user, wherever, or with a wrong one. */
  #signIn(domain: string, target: string, [a = 0, b = 0, , d = 0]: readonly number[]): RequestEnvelope {
    const { own } = this.names;
    const user = /^sip:([^@]+)@/.exec(target)?.[1] ?? '';
    // A nonce of another realm, or flow, is worth nothing.
    const scope = { secrets: ['s3cret'], flowId: one(['flow-1', 'flow-1', 'flow-2'], d), realm: one([domain, own], a) };
    const answer = {
      ...{ username: user, password: passwordOf(own, one(['1001', '1002'], b)), realm: domain },
      ...{ nonce: makeNonce(scope, this.#nowMs), method: 'REGISTER', uri: `sip:${domain}` },
    };
    const headers: [string, string][] = [
      ['Authorization', authorizationOf(answer)],
      ['Contact', '<sip:x@client.invalid;transport=ws>'],
    ];
    return envelopeOf({ method: 'REGISTER', requestUri: `sip:${domain}`, from: target, to: target, headers });
  }

  async #ask([a = 0, b = 0, c = 0, d = 0]: readonly number[], loot: Loot): Promise<string> {
    const { own, other } = this.names;
    const tenant = one([own, other, 'nobody.example'], a);
    const paths = [
      ...[
        '',
        '/users',
        '/users/1001',
        '/users/1001/credentials',
        '/publishers',
        '/lists',
        '/lists/team',
        '/trunk',
        '/keys',
      ],
      ...[
        `/keys/${loot.keyId}`,
        `/keys/${loot.keyId}/rotate`,
        '/audit',
        '/calls',
        `/calls/${loot.callId}`,
        '/records',
        '/profiles',
      ],
      ...['/profiles/user/1001', '/statistics', '/presentities', '/presentities/1002', '/presentities/1002/history'],
      ...[
        '/presentities/1002/subscriptions',
        '/presentities/1002/publications',
        '/subscriptions',
        '/bindings',
        '/users/1001/bindings',
      ],
      ...[
        `/presentities/1002/publications/${loot.publication}`,
        '/export',
        '/presentities/1001/dialogs/d1',
        '/sources/pbx/snapshot',
        '/limits',
      ],
    ];
    const rest = one(paths, b);
    const url = one(
      [
        `/v1/tenants/${tenant}${rest}`,
        `/v1/tenants/${tenant}${rest}`,
        `/v1/calls?tenant=${tenant}`,
        '/v1/tenants',
        '/v1/audit',
      ],
      c,
    );
    const method = one(['GET', 'GET', 'GET', 'PUT', 'POST', 'DELETE'], d);
    const isPage = method === 'GET' && c < 2 && (a + d) % 2 === 1;
    const member = { uri: `sip:1002@${other}` };
    const body =
      method === 'PUT' || method === 'POST'
        ? one(
            [
              {},
              { members: [member] },
              { source: 'pbx', state: 'confirmed', sequence: d, leaseSeconds: 60 },
              { name: 'k', permission: 'read' },
            ],
            a + c,
          )
        : undefined;
    const headers: Record<string, string> = (b + d) % 4 === 3 ? { 'if-match': loot.apiEtag } : {};
    const answer = await this.rig.ask(method, isPage ? `${url}?cursor=${loot.cursor}` : url, {
      key: this.own.key,
      body,
      headers,
    });
    return JSON.stringify([method, url, answer.status, answer.headers, answer.text]);
  }
}

const one = <T>(choices: readonly T[], pick: number): T => choices[pick % choices.length] as T;

/** What is a tenant's: its keys say so, or its members. */
export const isOf = (domain: string, { PK, tenant }: Item): boolean => PK.split('#')[1] === domain || tenant === domain;

/** What is sealed differs each time it is sealed. */
export const withoutSeals = (items: readonly Item[]): string[] =>
  items.map((item) => JSON.stringify(item, (name, value: unknown) => (name.startsWith('sealed') ? '' : value))).sort();
