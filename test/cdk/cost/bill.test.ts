import { describe, expect, it } from 'vitest';
import { billOf, fleetOf, idle, loopOfExpire } from '#cdk/cost/bill.ts';
import { demandOf } from '#cdk/cost/demand.ts';
import type { Inventory } from '#cdk/cost/inventory.ts';
import { OPERATIONS } from '#cdk/cost/measured.ts';
import { PRICES } from '#cdk/cost/prices.ts';
import { busyCounts, changesIn, DEFAULT_WORKLOAD, monthlyCounts, notifiesIn } from '#cdk/cost/workload.ts';
import { EXPIRE_SCHEDULE, FUNCTIONS } from '#cdk/system.ts';

const INVENTORY: Inventory = {
  ...{ endpointInterfaces: 10, loadBalancers: 1, zones: 2, secrets: 4, keys: 2, alarms: 20, dashboards: 1 },
  ...{ webAcls: 1, webAclRules: 4, tracedFunctions: 0, tasks: 2, taskVcpu: 1, taskGb: 2, hasPublicTasks: false },
};
const PRICE = PRICES['us-east-1'];
const WORK = { ...DEFAULT_WORKLOAD, users: 1_000 };
const bill = (more: Partial<typeof WORK> = {}) => billOf({ ...WORK, ...more }, INVENTORY, PRICE);

describe('operations of a month', () => {
  it('are what people do, and what the clock does', () => {
    const counts = monthlyCounts(WORK, 2);
    expect(counts.register).toBe(22_000);
    expect(counts.registerRefresh).toBe((22_000 * 9 * 3_600) / 540);
    expect(counts.subscribeRefresh).toBe((22_000 * 9 * 3_600 * 10) / 3_240);
    expect(counts.callInvite).toBe(1_000 * 3 * 5 * 22);
    expect(counts.lease).toBe(2 * 720 * 730);
    expect(counts.expirePass).toBe((3_600 / EXPIRE_SCHEDULE.loopEverySeconds) * 730);
  });

  it('published calls are a publication for each party, and no call', () => {
    const { callInvite, publish, publishModify, publishRemove } = monthlyCounts({ ...WORK, ownCallShare: 0 }, 2);
    expect([callInvite, publish, publishModify, publishRemove]).toEqual([0, 660_000, 660_000, 660_000]);
  });

  it('each change of a lamp is a NOTIFY to each watcher', () => {
    const counts = { publish: 5, publishModify: 2, registerRefresh: 99, callAnswered: 1 };
    expect(changesIn(counts)).toBe(5 + 2 + 2);
    expect(notifiesIn(counts, { ...WORK, watchersPerUser: 7, devicesPerUser: 2 })).toBe(9 * 14);
  });
});

describe('what operations demand', () => {
  it('adds what the function and what notify consume', () => {
    const { publish } = OPERATIONS;
    const { writeUnits, indexWriteUnits, streamRecords, invocations } = demandOf({ publish: 10 }, WORK);
    expect(writeUnits).toBe(10 * (publish.writeUnits + publish.notify.writeUnits));
    expect(indexWriteUnits.due).toBe(10 * (publish.indexWriteUnits.due ?? 0));
    expect(streamRecords).toBe(10 * (publish.records + publish.notify.records));
    expect([invocations.publish, invocations.notify]).toEqual([10, 10 * publish.notify.invocations]);
  });

  it('many watchers are more pages of the Query', () => {
    const reads = (watchersPerUser: number) => demandOf({ publish: 1 }, { ...WORK, watchersPerUser }).readUnits;
    expect(reads(800) - reads(8)).toBeGreaterThan(40);
  });

  it('an ended subscription goes with the report of its flow, and a sweep with the loop: no invocation', () => {
    const { invocations } = demandOf({ unsubscribe: 7, callSwept: 3, expirePass: 2 }, WORK);
    expect([invocations.subscribe, invocations.expire]).toEqual([0, 0]);
  });
});

describe('the bill', () => {
  it('adds up', () => {
    const { parts, total } = bill();
    expect(Object.values(parts).every((dollars) => dollars >= 0 && Number.isFinite(dollars))).toBe(true);
    expect(total).toBeCloseTo(
      Object.values(parts).reduce((sum, each) => sum + each, 0),
      6,
    );
  });

  it('of nobody is what stands by the hour: endpoints, gateways, load balancer, the loop', () => {
    const { parts } = billOf(idle(WORK), INVENTORY, PRICE);
    expect(parts['VPC endpoints']).toBeCloseTo(10 * 730 * PRICE.endpointHour, 1);
    expect(parts.Fargate).toBeCloseTo(2 * 730 * (PRICE.vcpuHour + 2 * PRICE.taskGbHour), 6);
    expect(parts['load balancer']).toBeCloseTo(730 * (PRICE.loadBalancerHour + 2 * PRICE.publicAddressHour), 6);
    expect(parts['secrets, keys, firewall']).toBeCloseTo(4 * 0.4 + 2 + 5 + 4, 6);
    expect(parts['data to clients']).toBe(0);
    expect(parts['DynamoDB requests']).toBeLessThan(5);
  });

  it('pays the loop of expire by its memory and the part of each minute that it runs', () => {
    const share = 1 - EXPIRE_SCHEDULE.loopEverySeconds / EXPIRE_SCHEDULE.everySeconds;
    const gbSeconds = 730 * 3_600 * share * (FUNCTIONS.expire.memoryMb / 1_024);
    expect(loopOfExpire(PRICE)).toBeCloseTo(gbSeconds * PRICE.lambdaGbSecond, 6);
  });

  it('rises with users, watchers, calls and shorter Expires', () => {
    const { total } = bill();
    for (const more of [{ users: 2_000 }, { watchersPerUser: 40 }, { callsPerHour: 6 }, { registerSeconds: 60 }])
      expect(bill(more).total).toBeGreaterThan(total);
  });

  it('is less where a PBX publishes the calls, and without a history', () => {
    expect(bill({ ownCallShare: 0 }).onDemand).toBeLessThan(bill().onDemand);
    expect(bill({ historyHours: 0 }).parts['DynamoDB storage and backup']).toBeLessThan(
      bill().parts['DynamoDB storage and backup'] ?? 0,
    );
  });
});

describe('the fleet', () => {
  it('is what the deployment wants at least, then one gateway for 50,000 flows', () => {
    expect(fleetOf(WORK, INVENTORY).peak).toBe(2);
    expect(fleetOf({ ...WORK, users: 120_000, callsPerHour: 0, watchersPerUser: 1 }, INVENTORY).peak).toBe(3);
  });

  it('grows by CPU where calls are many', () => {
    const quiet = fleetOf({ ...WORK, users: 100_000 }, INVENTORY);
    const loud = fleetOf({ ...WORK, users: 100_000, callsPerHour: 30 }, INVENTORY);
    expect(loud.peak).toBeGreaterThan(quiet.peak);
    expect(loud.busyCores).toBeGreaterThan(demandOf(busyCounts(WORK), WORK).gatewayCpuMicros / 1_000_000);
  });
});
