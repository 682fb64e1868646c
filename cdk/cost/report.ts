/** The model's answers as Markdown tables. Pure. */
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName } from '#cdk/system.ts';
import { type Bill, billOf, idle } from './bill.ts';
import { cpuMsOf, demandOf, MB_PER_VCPU } from './demand.ts';
import type { Inventory } from './inventory.ts';
import { latenciesOf, simulateLocal } from './latency.ts';
import { limitsOf } from './limits.ts';
import { CPU_MS, GATEWAY } from './measured.ts';
import type { Prices } from './prices.ts';
import type { LampLatency } from './stream-simulation.ts';
import { monthlyCounts, type Workload } from './workload.ts';

type Row = readonly string[];

export function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** Users of each size side by side, with nobody in the first column. */
export function costTable(sizes: readonly number[], work: Workload, inventory: Inventory, prices: Prices): string {
  const bills = [
    billOf(idle(work), inventory, prices),
    ...sizes.map((users) => billOf({ ...work, users }, inventory, prices)),
  ];
  const names = Object.keys(bills[0]?.parts ?? {});
  const row = (name: string, of: (bill: Bill, column: number) => string): Row => [name, ...bills.map(of)];
  return table(
    ['US dollars a month', 'nobody', ...sizes.map((users) => `${grouped(users)} users`)],
    [
      ...names.map((name) => row(name, ({ parts }) => dollars(parts[name] ?? 0))),
      row('**in all**', ({ total }) => `**${dollars(total)}**`),
      row('for each user', ({ total }, column) => (column === 0 ? '' : (total / (sizes[column - 1] ?? 1)).toFixed(3))),
      row('DynamoDB requests if provisioned', (bill) => dollars(bill.provisioned)),
      row('gateways while people work', ({ fleet }) => String(fleet.peak)),
    ],
  );
}

/** Share of each limit that the busiest second takes. */
export function limitTable(sizes: readonly number[], work: Workload, inventory: Inventory): string {
  const columns = sizes.map((users) => limitsOf({ ...work, users }, inventory));
  const rows = (columns[0] ?? []).map(({ name, answer, canRise }, at): Row => {
    const cells = columns
      .map((limits) => limits[at])
      .map((each) => (each ? `${amount(each.needed)} of ${amount(each.limit)}` : ''));
    return [`${name}${canRise ? ' (quota)' : ''}`, ...cells, answer];
  });
  return table(['busiest second', ...sizes.map((users) => `${grouped(users)} users`), 'what the design does'], rows);
}

export function latencyTable(sizes: readonly number[], work: Workload, inventory: Inventory): string {
  const local = simulateLocal();
  const { p50, p99 } = GATEWAY.localLampMs;
  const here: Row = ['local stack, one watcher', `${p50}, ${p99} measured`, '1', times(local), '', ''];
  const rows = sizes.map((users): Row => {
    const { changesPerSecond, shards, well, silentGateway, throttled } = latenciesOf({ ...work, users }, inventory);
    return [
      `${grouped(users)} users`,
      amount(changesPerSecond),
      String(shards),
      times(well),
      times(throttled),
      times(silentGateway),
    ];
  });
  const head = ['', 'changes a second', 'shards', 'p50, p99 ms', '1 % of requests throttled', 'a gateway falls silent'];
  return table(head, [here, ...rows]);
}

/** At other memory than these Lambda gives no more CPU to one thread, or too little to start with. */
const MEMORY_MB = [128, 256, 512, 1_024, MB_PER_VCPU] as const;

/** What an average invocation of each function takes and costs at different memory; its own in bold. */
export function memoryTable(work: Workload, prices: Prices): string {
  // Half of the calls are published, so that each function has something to do.
  const mixed = { ...work, ownCallShare: 0.5 };
  const { invocations, billedMs } = demandOf(monthlyCounts(mixed, 2), mixed);
  // The loop of `expire` is paid by its length and not by what it does.
  const isAsked = (name: FunctionName): boolean => CPU_MS[name] !== undefined && name !== 'expire';
  const rows = FUNCTION_NAMES.filter(isAsked).map((name): Row => {
    const waitMs = billedMs[name] / invocations[name] - cpuMsOf(name);
    const cells = MEMORY_MB.map((memoryMb) => {
      const ms = waitMs + cpuMsOf(name, memoryMb);
      const text = `${amount(ms)}, ${dollarsPerMillion(ms, memoryMb, prices)}`;
      return memoryMb === FUNCTIONS[name].memoryMb ? `**${text}**` : text;
    });
    return [`\`${name}\``, amount(CPU_MS[name] ?? 0), amount(waitMs), ...cells];
  });
  return table(['ms, USD a million', 'CPU ms', 'waits ms', ...MEMORY_MB.map((each) => `${each} MB`)], rows);
}

const dollarsPerMillion = (ms: number, memoryMb: number, { lambdaGbSecond, lambdaRequestsMillion }: Prices): string =>
  (ms * 1_000 * (memoryMb / 1_024) * lambdaGbSecond + lambdaRequestsMillion).toFixed(2);

const times = ({ p50, p99, lost }: LampLatency): string =>
  `${amount(p50)}, ${amount(p99)}${lost > 0 ? `, ${lost} lost` : ''}`;

const grouped = (number: number): string => String(number).replaceAll(/\B(?=(\d{3})+$)/g, ',');

const dollars = (number: number): string => (number < 10 ? number.toFixed(2) : grouped(Math.round(number)));

const amount = (number: number): string =>
  number < 10 ? String(Number(number.toFixed(1))) : grouped(Math.round(number));
