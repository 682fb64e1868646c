/** Routes of ingest: what a PBX or a portal says of its users without SIP. */
import * as v from 'valibot';
import { dialogWord, INGEST_LIMITS, presenceWord, type Word } from '#core/ingest.ts';
import { Problem, type ProblemStatus } from '#core/problem.ts';
import { type IngesterPorts, type IngestResult, ingest, reconcile, type WordOf } from '#roles/ingester.ts';
import type { Tenant } from '#table/tenant-item.ts';
import {
  dialogBody,
  endQuery,
  eventsAnswer,
  eventsBody,
  presenceBody,
  presenceEndQuery,
  type SourceEvent,
  snapshotAnswer,
  snapshotBody,
  sourceEvent,
  wordAnswer,
} from './ingest-schemas.ts';
import type { ApiPorts } from './ports.ts';
import { type Answer, type Context, type Route, route, tenantOf } from './route.ts';

const UNIQUE_BYTES = 12;
const RETRY_AFTER = { 'retry-after': '1' };

const putDialog = async (context: Context<'user' | 'dialog', unknown, v.InferOutput<typeof dialogBody>>) => {
  const { body, names, nowMs } = context;
  return takeOne(context, names.user, dialogWord({ id: names.dialog, ...body }, body, nowMs));
};

const endDialog = async (context: Context<'user' | 'dialog', v.InferOutput<typeof endQuery>>) => {
  const { query, names, nowMs } = context;
  return takeOne(context, names.user, dialogWord({ id: names.dialog, state: 'terminated' }, query, nowMs));
};

const putPresence = async (context: Context<'user' | 'source', unknown, v.InferOutput<typeof presenceBody>>) => {
  const { body, names, nowMs } = context;
  return takeOne(context, names.user, presenceWord(body, { ...body, source: names.source }, nowMs));
};

const endPresence = async (context: Context<'user' | 'source', v.InferOutput<typeof presenceEndQuery>>) => {
  const { query, names, nowMs } = context;
  return takeOne(context, names.user, presenceWord(undefined, { ...query, source: names.source }, nowMs));
};

async function takeOne(context: Context, user: string, word: Word): Promise<Answer> {
  const { domain } = counted(context, 1);
  const [result] = await ingest([{ user, word }], domain, ingesterPorts(context.ports), context.nowMs);
  const { status, detail, ...answer } = resultOf(result, word.sequence);
  if (status !== 200) throw new Problem(status, detail ?? '', status === 503 ? RETRY_AFTER : {});
  return { body: answer };
}

interface WordStatus {
  readonly status: ProblemStatus | 200;
  readonly applied?: boolean;
  readonly sequence?: number;
  readonly detail?: string;
}

function resultOf(result: IngestResult | undefined, sequence: number): WordStatus {
  switch (result?.kind) {
    case 'applied':
      return { status: 200, applied: true, sequence };
    case 'late':
      return { status: 200, applied: false, sequence: result.sequence };
    case 'full':
      return { status: 409, detail: 'Too much is published of this user; what has ended goes after some minutes.' };
    case 'tooManySources':
      return { status: 409, detail: `A tenant has ${INGEST_LIMITS.sourcesPerTenant} sources at most.` };
    case 'unknownUser':
      return { status: 404, detail: 'There is no such user.' };
    case 'unavailable':
    case undefined:
      return { status: 503, detail: 'It could not be written now; say it again.' };
    default:
      return result satisfies never;
  }
}

const postEvents = async (context: Context<'source', unknown, v.InferOutput<typeof eventsBody>>): Promise<Answer> => {
  const { body, names, ports, nowMs } = context;
  const read = body.events.map((event) => v.safeParse(sourceEvent, event));
  const good = read.flatMap((each) => (each.success ? [each.output] : []));
  const words = good.map((event) => wordOf(event, names.source, nowMs));
  const { domain } = counted(context, words.length);
  const taken = (await ingest(words, domain, ingesterPorts(ports), nowMs)).values();
  const results = read.map((each): WordStatus => {
    if (each.success) return resultOf(taken.next().value, each.output.sequence);
    const [issue] = each.issues;
    return { status: 400, detail: `${v.getDotPath(issue) ?? 'The event'}: ${issue.message}` };
  });
  return { body: { results } };
};

function wordOf(event: SourceEvent, source: string, nowMs: number): WordOf {
  const { user } = event;
  const said = { source, ...event };
  switch (event.type) {
    case 'dialog':
      return { user, word: dialogWord(event, said, nowMs) };
    case 'dialogEnd':
      return { user, word: dialogWord({ id: event.id, state: 'terminated' }, said, nowMs) };
    case 'presence':
      return { user, word: presenceWord(event, said, nowMs) };
    case 'presenceEnd':
      return { user, word: presenceWord(undefined, said, nowMs) };
    default:
      return event satisfies never;
  }
}

const putSnapshot = async (
  context: Context<'source', unknown, v.InferOutput<typeof snapshotBody>>,
): Promise<Answer> => {
  const { body, names, ports, nowMs } = context;
  const { sequence, leaseSeconds, dialogs } = body;
  requireFew(dialogs.map(({ user }) => user));
  const said = { source: names.source, sequence, leaseSeconds, isOfSnapshot: true };
  const words = dialogs.map(({ user, ...dialog }) => ({ user, word: dialogWord(dialog, said, nowMs) }));
  const { domain } = counted(context, words.length);
  const answer = await reconcile({ domain, source: names.source, sequence, words }, ingesterPorts(ports), nowMs);
  const nothing = { set: 0, ended: 0, unknownUsers: [], fullUsers: [] };
  switch (answer.kind) {
    case 'late':
      return { body: { applied: false, sequence: answer.sequence, ...nothing } };
    case 'tooManySources':
      throw new Problem(409, resultOf(answer, sequence).detail ?? '');
    case 'applied': {
      const { kind: _kind, ...done } = answer;
      return { body: { applied: true, sequence, ...done } };
    }
    default:
      return answer satisfies never;
  }
};

/** @throws {Problem} 400 */
function requireFew(users: readonly string[]): void {
  const counts = Map.groupBy(users, (user) => user);
  const crowded = [...counts].find(([, all]) => all.length > INGEST_LIMITS.dialogsPerUser);
  if (crowded) throw new Problem(400, `${crowded[0]} has more than ${INGEST_LIMITS.dialogsPerUser} dialogs.`);
}

/** @throws {Problem} 429 */
function counted(context: Context, words: number): Tenant {
  const tenant = tenantOf(context);
  context.ports.takeChanges(tenant, Math.max(1, words), context.nowMs);
  return tenant;
}

const ingesterPorts = ({ table, random }: ApiPorts): IngesterPorts => ({
  table,
  uniqueText: () => random(UNIQUE_BYTES).toString('base64url'),
});

const LATE = 'One that comes too late changes nothing, and is answered with `applied` false.';
const DIALOG = '/tenants/{tenant}/presentities/{user}/dialogs/{dialog}';
const PRESENCE = '/tenants/{tenant}/presentities/{user}/presence/{source}';
const WORD = { permission: 'ingest', success: { 200: wordAnswer }, refusals: [404, 409, 503] } as const;

export const INGEST_ROUTES: readonly Route[] = [
  route({
    ...{ ...WORD, method: 'PUT', path: DIALOG, name: 'putDialog', body: dialogBody, answer: putDialog },
    summary: 'Say how a dialog of a user stands',
    description: `It shows until it is ended or its lease is over. ${LATE}`,
  }),
  route({
    ...{ ...WORD, method: 'DELETE', path: DIALOG, name: 'endDialog', query: endQuery, answer: endDialog },
    summary: 'Say that a dialog of a user is over',
    description: LATE,
  }),
  route({
    ...{ ...WORD, method: 'PUT', path: PRESENCE, name: 'putPresence', body: presenceBody, answer: putPresence },
    summary: 'Say whether a user is there, and what it does',
    description: LATE,
  }),
  route({
    ...{ ...WORD, method: 'DELETE', path: PRESENCE, name: 'endPresence', query: presenceEndQuery, answer: endPresence },
    summary: 'Take back what a source has said of the presence of a user',
    description: LATE,
  }),
  route({
    method: 'POST',
    path: '/tenants/{tenant}/sources/{source}/events',
    name: 'postEvents',
    summary: `Say up to ${INGEST_LIMITS.eventsPerRequest} things at once`,
    description: 'Each event has a result of its own. Those of one user are taken in their order.',
    permission: 'ingest',
    body: eventsBody,
    success: { 200: eventsAnswer },
    answer: postEvents,
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/sources/{source}/snapshot',
    name: 'putSnapshot',
    summary: 'Say all live dialogs of a source',
    description:
      'What it has said before and this lacks ends; presence is left alone. A snapshot whose answer was lost, or that was answered 503, is said again as it was.',
    permission: 'ingest',
    body: snapshotBody,
    success: { 200: snapshotAnswer },
    refusals: [409, 503],
    answer: putSnapshot,
  }),
];
