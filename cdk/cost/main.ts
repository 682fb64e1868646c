/** `npm run cost -- --users 100000`: what a deployment costs, which limits it comes near to, how fast its lamps are. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import * as v from 'valibot';
import { billOf, idle } from './bill.ts';
import { inventoryOfDeployment } from './deployment-inventory.ts';
import { latenciesOf } from './latency.ts';
import { limitsOf } from './limits.ts';
import { PAGE, pageWith, readPage, writePage } from './page.ts';
import { PRICES, PRICES_AS_OF, type Prices, REGIONS, type Region } from './prices.ts';
import { costTable, latencyTable, limitTable } from './report.ts';
import { DEFAULT_WORKLOAD, type Workload } from './workload.ts';

const print = (text: string): boolean => process.stdout.write(`${text}\n`);

const WORDS: Readonly<Record<keyof Workload, string>> = {
  users: 'users of all tenants',
  watchersPerUser: 'by how many each user is watched, and how many each watches',
  devicesPerUser: 'connections of each user',
  tenantUsers: 'users of one tenant',
  workDays: 'working days a month',
  onlineHours: 'hours a working day that people are connected',
  callsPerHour: 'calls that each user makes in a busy hour',
  busyHours: 'busy hours a working day',
  ownCallShare: 'share of calls that the system routes itself, 0 to 1; others are published',
  registerSeconds: 'between two REGISTERs of a client',
  subscribeSeconds: 'between two SUBSCRIBEs of one subscription',
  morningMinutes: 'within which everybody signs in',
  recordDays: 'days that call records are kept',
  historyHours: 'hours that the history of lamps is kept; 0: none',
};

const optionOf = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function numberOf(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number) || number < 0)
    throw new InvalidArgumentError('must be a number from 0 on');
  return number;
}

function readPrices(region: Region, file: string | undefined): Prices {
  if (file === undefined) return PRICES[region];
  const known = new Set(Object.keys(PRICES[region]));
  const name = v.pipe(
    v.string(),
    v.check((given) => known.has(given), 'is no price'),
  );
  return { ...PRICES[region], ...v.parse(v.record(name, v.number()), JSON.parse(readFileSync(file, 'utf8'))) };
}

interface Options extends Partial<Workload> {
  readonly region: Region;
  readonly stage: 'dev' | 'prod';
  readonly prices?: string;
  readonly json?: true;
  readonly page?: true;
}

function run({ region, stage, prices: file, json, page, ...given }: Options): void {
  if (page) {
    const inventories = { dev: inventoryOfDeployment('dev'), prod: inventoryOfDeployment('prod') };
    writePage(pageWith(readPage(), inventories));
    return;
  }
  const prices = readPrices(region, file);
  const work = { ...DEFAULT_WORKLOAD, ...given };
  const inventory = inventoryOfDeployment(stage);
  if (json) {
    const bills = { idle: billOf(idle(work), inventory, prices), bill: billOf(work, inventory, prices) };
    const rest = { limits: limitsOf(work, inventory), lamps: latenciesOf(work, inventory) };
    print(JSON.stringify({ region, pricesAsOf: PRICES_AS_OF, work, inventory, ...bills, ...rest }, null, 2));
    return;
  }
  print(`List prices of ${region} as of ${PRICES_AS_OF}, entered by hand: check them. Stage ${stage}.\n`);
  print(`${costTable([work.users], work, inventory, prices)}\n`);
  print(`${limitTable([work.users], work, inventory)}\n`);
  print(latencyTable([work.users], work, inventory));
}

const command = new Command('cost')
  .description('Monthly cost, limits and lamp latency of a workload, from what was measured (cdk/cost/measured.json).')
  .option(
    '--region <region>',
    REGIONS.join(', '),
    (text): Region => {
      const region = REGIONS.find((each) => each === text);
      if (region === undefined) throw new InvalidArgumentError(`must be one of ${REGIONS.join(', ')}`);
      return region;
    },
    'us-east-1',
  )
  .option('--stage <stage>', 'dev or prod: what the templates of that stage hold', 'prod')
  .option('--prices <file>', 'JSON with other prices, such as {"writeUnitsMillion": 0.5}')
  .option('--json', 'everything as JSON')
  .option('--page', `writes the tables of ${PAGE} anew`);
for (const [name, what] of Object.entries(WORDS)) {
  const fallback = DEFAULT_WORKLOAD[name as keyof Workload];
  command.option(`--${optionOf(name)} <number>`, `${what} (${fallback})`, numberOf);
}
await command.action(run).parseAsync();
