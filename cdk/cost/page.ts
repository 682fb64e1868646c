/** The tables of the page on cost and scale, each between marks, as the commands print them. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '#cdk/dist.ts';
import type { Inventory } from './inventory.ts';
import { PRICES } from './prices.ts';
import { costTable, latencyTable, limitTable, memoryTable } from './report.ts';
import { DEFAULT_WORKLOAD } from './workload.ts';

export const PAGE = 'cdk/cost-model.md';
export const SIZES = [1_000, 10_000, 100_000, 1_000_000] as const;
const FILE = path.join(ROOT, PAGE);

export interface Inventories {
  readonly dev: Inventory;
  readonly prod: Inventory;
}

/** Each table by the name in its marks. */
function tables({ dev, prod }: Inventories): Readonly<Record<string, string>> {
  const work = DEFAULT_WORKLOAD;
  const published = { ...work, ownCallShare: 0 };
  return {
    'cost prod us-east-1': costTable(SIZES, work, prod, PRICES['us-east-1']),
    'cost prod eu-central-1': costTable(SIZES, work, prod, PRICES['eu-central-1']),
    'cost prod published': costTable(SIZES, published, prod, PRICES['us-east-1']),
    'cost dev us-east-1': costTable([100], { ...work, tenantUsers: 100 }, dev, PRICES['us-east-1']),
    memory: memoryTable(work, PRICES['us-east-1']),
    limits: limitTable(SIZES, work, prod),
    latency: latencyTable(SIZES, work, prod),
  };
}

/** @throws {Error} when the page lacks the marks of a table */
export function pageWith(page: string, inventories: Inventories): string {
  return Object.entries(tables(inventories)).reduce((text, [name, table]) => {
    const [start, end] = [`<!-- table: ${name} -->\n`, '\n<!-- end -->'];
    const from = text.indexOf(start);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`${PAGE} has no place for the table "${name}"`);
    return `${text.slice(0, from + start.length)}${table}${text.slice(to)}`;
  }, page);
}

export const readPage = (): string => readFileSync(FILE, 'utf8');
export const writePage = (text: string): void => writeFileSync(FILE, text);
