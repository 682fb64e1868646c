/** Routes of calls, records, statistics and profiles: of one tenant, or (for operators) of all. */
import * as v from 'valibot';
import { Problem } from '#core/problem.ts';
import {
  endCall,
  type Listing,
  type Slice,
  showCall,
  showCalls,
  showProfile,
  showProfiles,
  showRecords,
  showStatistics,
} from '#roles/operator-desk.ts';
import { callResource, profileResource, recordResource, sizeResource, statisticsResource } from './call-resources.ts';
import { domainName, listAnswer, listOf, PAGE, pageOf } from './parameters.ts';
import { type Answer, type Context, type Route, route } from './route.ts';

const tenantQuery = { tenant: v.optional(v.pipe(domainName, v.description('Of one tenant only'))) };
const id = v.optional(v.pipe(v.string(), v.description('Id of the call, where its Call-ID has had several')));
const calls = v.optional(v.pipe(v.picklist(['0', '1']), v.description('1: with the calls')));

type Asked = Context<string, { readonly tenant?: string | undefined }>;
type AskedPage = Context<
  string,
  { readonly tenant?: string | undefined; readonly limit: number; readonly cursor?: string | undefined }
>;

/** The tenant of the path, or of the query. */
const namedTenant = ({ tenant, query }: Asked): string | undefined => tenant?.domain ?? query.tenant;

/** @throws {Problem} 400 */
function oneTenant(context: Asked): string {
  const tenant = namedTenant(context);
  if (tenant === undefined) throw new Problem(400, 'Name the tenant: ?tenant=<domain>.');
  return tenant;
}

function sliceOf(context: AskedPage): Slice {
  const { limit, from } = pageOf(context);
  const [tenant, place] = from;
  return tenant === undefined ? { limit } : { limit, from: { tenant, place } };
}

function listing<T>(context: Context, { items, next }: Listing<T>): Answer {
  return listAnswer(context, items, next && [next.tenant, ...(next.place === undefined ? [] : [next.place])]);
}

const listCalls = async (context: AskedPage): Promise<Answer> => {
  const { ports, nowMs } = context;
  return listing(context, await showCalls(ports, namedTenant(context), sliceOf(context), nowMs));
};

const listRecords = async (context: AskedPage): Promise<Answer> =>
  listing(context, await showRecords(context.ports, namedTenant(context), sliceOf(context)));

const listStatistics = async (context: Asked): Promise<Answer> => {
  const tenant = namedTenant(context);
  const { items } = await showStatistics(context.ports, tenant);
  return { body: tenant === undefined ? { items } : items[0] };
};

const listProfiles = async (context: Asked): Promise<Answer> => ({
  body: await showProfiles(context.ports, namedTenant(context)),
});

type CallAsked = Context<'callId', { readonly tenant?: string | undefined; readonly id?: string | undefined }>;

const getCall = async (context: CallAsked): Promise<Answer> => {
  const { ports, names, query, nowMs } = context;
  return { body: await showCall(ports, oneTenant(context), names.callId, query.id, nowMs) };
};

const deleteCall = async (context: CallAsked): Promise<Answer> => {
  const { ports, names, query, nowMs } = context;
  await endCall(ports, oneTenant(context), names.callId, query.id, nowMs);
  return { status: 204 };
};

type ProfileAsked = Context<
  'profile',
  { readonly tenant?: string | undefined; readonly calls?: '0' | '1' | undefined }
>;

const getProfile = async (context: ProfileAsked, value?: string): Promise<Answer> => {
  const { ports, names, query, nowMs } = context;
  const wish = { tenant: oneTenant(context), profile: names.profile, value, withCalls: query.calls === '1' };
  return { body: await showProfile(ports, wish, nowMs) };
};

const sizes = v.object({ items: v.array(sizeResource) });
const ofAll = v.union([statisticsResource, v.object({ items: v.array(statisticsResource) })]);

/** The same routes below a tenant and at the top, where the tenant stands in the query. */
function family(prefix: '/tenants/{tenant}' | ''): readonly Route[] {
  const isTop = prefix === '';
  const where = isTop ? 'of all tenants, or of one' : 'of a tenant';
  const nameOf = (name: string): string => (isTop ? `${name}OfAll` : name);
  const query = isTop ? tenantQuery : {};
  const read = { method: 'GET', permission: 'read' } as const;
  const page = { ...read, query: v.object({ ...PAGE, ...query }) };
  return [
    route({
      ...page,
      path: `${prefix}/calls`,
      name: nameOf('listCalls'),
      summary: `Live calls ${where}, the oldest first`,
      success: { 200: listOf(callResource) },
      answer: listCalls,
    }),
    route({
      ...page,
      path: `${prefix}/records`,
      name: nameOf('listRecords'),
      summary: `Records of ended calls ${where}, the newest first`,
      success: { 200: listOf(recordResource) },
      answer: listRecords,
    }),
    route({
      ...read,
      path: `${prefix}/statistics`,
      name: nameOf('getStatistics'),
      summary: `Call counters ${where}`,
      query: v.object(query),
      success: { 200: isTop ? ofAll : statisticsResource },
      answer: listStatistics,
    }),
    route({
      ...read,
      path: `${prefix}/profiles`,
      name: nameOf('listProfiles'),
      summary: `Sizes of the profiles of calls ${where}`,
      query: v.object(query),
      success: { 200: sizes },
      answer: listProfiles,
    }),
    route({
      ...read,
      path: `${prefix}/calls/{callId+}`,
      name: nameOf('getCall'),
      summary: 'One call: the live one of a Call-ID, else the latest',
      query: v.object({ id, ...query }),
      success: { 200: callResource },
      answer: getCall,
    }),
    route({
      method: 'DELETE',
      permission: 'admin',
      path: `${prefix}/calls/{callId+}`,
      name: nameOf('endCall'),
      summary: 'Ends a call: BYE to both, or CANCEL while it rings',
      query: v.object({ id, ...query }),
      success: { 204: null },
      refusals: [409],
      answer: deleteCall,
    }),
    route({
      ...read,
      path: `${prefix}/profiles/{profile}`,
      name: nameOf('getProfile'),
      summary: 'Size of a profile of calls, with its values',
      query: v.object({ calls, ...query }),
      success: { 200: profileResource },
      answer: (context) => getProfile(context),
    }),
    route({
      ...read,
      path: `${prefix}/profiles/{profile}/{value+}`,
      name: nameOf('getProfileValue'),
      summary: 'Size of one value of a profile of calls',
      query: v.object({ calls, ...query }),
      success: { 200: profileResource },
      answer: (context) => getProfile(context, context.names.value),
    }),
  ];
}

export const CALL_ROUTES: readonly Route[] = [...family('/tenants/{tenant}'), ...family('')];
