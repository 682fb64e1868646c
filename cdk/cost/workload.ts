/** How people use the system, and how often each operation happens by that. Pure. */
import { EXPIRE_SCHEDULE } from '#cdk/system.ts';
import { OPERATIONS, type OperationName } from './measured.ts';
import { HOURS_A_MONTH } from './prices.ts';

export interface Workload {
  readonly users: number;
  /** Colleagues whose lamps each user sees, and by whom each is seen. */
  readonly watchersPerUser: number;
  readonly devicesPerUser: number;
  readonly tenantUsers: number;
  readonly workDays: number;
  readonly onlineHours: number;
  /** Calls that each user makes in a busy hour, and how many such hours a working day has. */
  readonly callsPerHour: number;
  readonly busyHours: number;
  /** Part of the calls that the system routes itself; the rest is published by a PBX. */
  readonly ownCallShare: number;
  /** How often a client registers and subscribes anew. */
  readonly registerSeconds: number;
  readonly subscribeSeconds: number;
  /** Within so many minutes all sign in of a morning. */
  readonly morningMinutes: number;
  readonly recordDays: number;
  readonly historyHours: number;
}

export const DEFAULT_WORKLOAD: Workload = {
  ...{ users: 10_000, watchersPerUser: 10, devicesPerUser: 1, tenantUsers: 200 },
  ...{ workDays: 22, onlineHours: 9, callsPerHour: 3, busyHours: 5, ownCallShare: 1 },
  ...{ registerSeconds: 540, subscribeSeconds: 3_240, morningMinutes: 30, recordDays: 90, historyHours: 24 },
};

export type Counts = Readonly<Partial<Record<OperationName, number>>>;

/** A lease is renewed three times within its 15 s (edge-gateway/lease-keeper). */
const LEASES_AN_HOUR = 3_600 / 5;
const PASSES_AN_HOUR = 3_600 / EXPIRE_SCHEDULE.loopEverySeconds;

/** Operations of a month. */
export function monthlyCounts(work: Workload, gateways: number): Counts {
  const sessions = work.users * work.devicesPerUser * work.workDays;
  const onlineSeconds = work.onlineHours * 3_600;
  return {
    ...signIns(sessions, work),
    ...refreshes(
      (sessions * onlineSeconds) / work.registerSeconds,
      (sessions * onlineSeconds) / work.subscribeSeconds,
      work,
    ),
    flowClosed: sessions,
    unsubscribe: sessions * (work.watchersPerUser - 1),
    ...calls(work.users * work.callsPerHour * work.busyHours * work.workDays, work),
    lease: gateways * LEASES_AN_HOUR * HOURS_A_MONTH,
    expirePass: PASSES_AN_HOUR * HOURS_A_MONTH,
  };
}

/** Operations of a second in a busy hour: everybody is there and calls. */
export function busyCounts(work: Workload): Counts {
  const flows = work.users * work.devicesPerUser;
  return {
    ...refreshes(flows / work.registerSeconds, flows / work.subscribeSeconds, work),
    ...calls((work.users * work.callsPerHour) / 3_600, work),
  };
}

/** Operations of a second while all sign in. */
export const morningCounts = (work: Workload): Counts =>
  signIns((work.users * work.devicesPerUser) / (work.morningMinutes * 60), work);

const signIns = (sessions: number, { watchersPerUser }: Workload): Counts => ({
  challenge: sessions,
  register: sessions,
  subscribe: sessions * watchersPerUser,
});

const refreshes = (registrations: number, subscriptions: number, { watchersPerUser }: Workload): Counts => ({
  registerRefresh: registrations,
  subscribeRefresh: subscriptions * watchersPerUser,
});

/** A published call is one publication for each party: it rings, is answered, ends. */
function calls(all: number, { ownCallShare }: Workload): Counts {
  const own = all * ownCallShare;
  const published = (all - own) * 2;
  return {
    ...{ callInvite: own, callRings: own, callAnswered: own, callEnds: own, callSwept: own },
    ...{ publish: published, publishModify: published, publishRemove: published },
  };
}

/** Operations that change what watchers of `dialog` see; each Query of `notify` is one change. */
const SEEN: readonly OperationName[] = [
  ...(['publish', 'publishModify', 'publishRemove'] as const),
  ...(['callInvite', 'callRings', 'callAnswered', 'callEnds'] as const),
];

/** Changes of lamps among these operations. */
export const changesIn = (counts: Counts): number =>
  sum(SEEN.map((name) => (counts[name] ?? 0) * (OPERATIONS[name].notify.requests.Query ?? 0)));

export const notifiesIn = (counts: Counts, { watchersPerUser, devicesPerUser }: Workload): number =>
  changesIn(counts) * watchersPerUser * devicesPerUser;

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
