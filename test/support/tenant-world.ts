/** A tenant with one of everything that can stand in the table, made by the product's own roles and routes. */
import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { callSnapshot } from '#contract/call.ts';
import type { Identity } from '#contract/schemas.ts';
import { publish } from '#roles/compositor.ts';
import type { NotifierPorts } from '#roles/notifier.ts';
import { subscribe } from '#roles/notifier.ts';
import { register } from '#roles/registrar.ts';
import { endCall, startCall } from '#table/call-item.ts';
import { saveChanges } from '#table/history-item.ts';
import { loadList } from '#table/list-item.ts';
import { storeMessage } from '#table/message-item.ts';
import type { Table } from '#table/table.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { loadUser } from '#table/user-item.ts';
import { addNews } from '#table/waiting-item.ts';
import { loadWatchRules } from '#table/watch-rules.ts';
import { ADMIN_KEY, type ApiRig } from './api-rig.ts';
import { dialogElement, dialogInfo, publishOf, subscribeOf } from './dialogs.ts';
import { envelopeOf } from './envelope.ts';
import { TEST_SECRETS } from './secrets.ts';

/** Passwords of a tenant made here. */
export const passwordOf = (domain: string, user: string): string => `a long secret of ${user} at ${domain}`;

export interface PopulatedTenant {
  readonly domain: string;
  /** Key of the tenant's own that may do everything. */
  readonly key: string;
  /** SIP-ETag of the publication of 1002. */
  readonly etag: string;
  /** Call-ID of the call that is going on. */
  readonly callId: string;
}

/** Ports of the request roles, without caches. */
export const sipPortsOf = (table: Table): NotifierPorts & { randomBytes: typeof randomBytes } => ({
  ...{ table, randomBytes, chance: () => 0, ...TEST_SECRETS },
  loadUser: (domain, user) => loadUser(table, domain, user),
  loadTenant: (domain) => loadTenant(table, domain),
  findList: (address) => loadList(table, address),
  findWatchRules: (address) => loadWatchRules(table, address),
});

export async function populateTenant(rig: ApiRig, domain: string): Promise<PopulatedTenant> {
  const { table, nowMs } = rig;
  const T = `/v1/tenants/${domain}`;
  const must = async (method: string, url: string, body: object) => {
    const answer = await rig.ask(method, url, { body, key: ADMIN_KEY });
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.text}`);
    return answer.body;
  };
  await must('PUT', T, { displayName: domain });
  for (const user of ['1001', '1002']) await must('PUT', `${T}/users/${user}`, { password: passwordOf(domain, user) });
  await must('PUT', `${T}/publishers/pbx`, { password: passwordOf(domain, 'pbx') });
  await must('PUT', `${T}/lists/team`, { members: [{ uri: `sip:1002@${domain}` }, { uri: `sip:ghost@${domain}` }] });
  const account = { username: 'us', realm: 'x', password: `trunk password of ${domain}` };
  await must('PUT', `${T}/trunk`, { transport: 'TCP', host: 'sip.example', addresses: ['192.0.2.7'], account });
  const { id } = await must('POST', `${T}/webhooks`, { url: `https://hooks.example/${domain}`, users: ['1001'] });
  await addNews(table, { domain, id, user: '1001' }, { mark: domain, atMs: nowMs });
  const { key } = await must('POST', `${T}/keys`, { name: 'own', permission: 'admin' });
  await must('PUT', `${T}/presentities/1001/dialogs/d1`, {
    source: 'pbx',
    state: 'early',
    sequence: 1,
    leaseSeconds: 600,
  });
  const etag = await populateSip(rig, domain);
  const callId = `call-of-${domain}`;
  await startCall(table, callStart(domain, callId, nowMs));
  await startCall(table, callStart(domain, `ended-${callId}`, nowMs));
  await endCall(table, {
    ...callStart(domain, `ended-${callId}`, nowMs).snapshot,
    ...ENDED,
    endedAtMs: nowMs,
    sequence: 1,
  });
  const change = { version: 1, atMs: nowMs, from: 'idle', to: 'busy', sources: [], dialogs: [] } as const;
  await saveChanges(table, [{ presentity: { domain, user: '1002' }, change }], 24);
  const mail = {
    id: 'm1',
    receivedAtMs: nowMs,
    expiresAtMs: nowMs + 60_000,
    headers: [],
    body: `secret word of ${domain}`,
  };
  await storeMessage(table, { domain, user: '1001' }, mail, nowMs);
  return { domain, key, etag, callId };
}

const ENDED = { state: 'terminated', cause: 'bye' } as const;

async function populateSip({ table, nowMs, ports: api }: ApiRig, domain: string): Promise<string> {
  const ports = { ...sipPortsOf(table), randomBytes: api.random };
  const identity = (user: string, role: Identity['role'] = 'user'): Identity => ({ domain, user, role });
  const aor = (user: string): string => `sip:${user}@${domain}`;
  const contact = '<sip:x@client.invalid;transport=ws>;+sip.instance="<urn:uuid:1>"';
  const registering = {
    method: 'REGISTER',
    requestUri: `sip:${domain}`,
    from: aor('1001'),
    identity: identity('1001'),
  };
  await register(envelopeOf({ ...registering, headers: [['Contact', contact]] }), ports, nowMs);
  // Of these one is a user, one nobody: neither in any list but by what is told of it.
  for (const presentity of ['odd'])
    await publish(
      publishOf({ presentity: aor(presentity), identity: identity('pbx', 'publisher'), body: document }),
      ports,
      nowMs,
    );
  const watch = (to: string, more: object = {}) => {
    const asked = { to: aor(to), from: aor('1001'), identity: identity('1001'), contact, toTag: `tag-${to}-${domain}` };
    return subscribe(subscribeOf({ ...asked, callId: `watch-${to}-${domain}`, ...more }), ports, nowMs);
  };
  await watch('1002');
  await watch('nobody');
  await watch('team', { headers: [['Supported', 'eventlist']] });
  const wish = publishOf({ presentity: aor('1002'), identity: identity('pbx', 'publisher'), body: document });
  const { response } = await publish(wish, ports, nowMs);
  return response.headers.find(([name]) => name === 'SIP-ETag')?.[1] ?? '';
}

const document = dialogInfo(dialogElement('1', 'confirmed'));

function callStart(domain: string, callId: string, nowMs: number): Parameters<typeof startCall>[1] {
  const snapshot = v.parse(callSnapshot, {
    ...{ domain, callId, callKey: `key-${callId}`, sequence: 0, state: 'early' },
    ...{
      caller: { aor: `sip:1001@${domain}` },
      callee: { aor: `sip:1002@${domain}` },
      forks: [{ tag: 't', state: 'early' }],
    },
    ...{ startedAtMs: nowMs, expiresAtMs: nowMs + 3_600_000 },
  });
  const rest = { gatewayId: 'gateway-1', type: 'local', variables: {}, recordDays: 90 } as const;
  return { snapshot, ...rest, profiles: [{ profile: 'user', value: '1001' }], dueAtMs: nowMs + 60_000 };
}
