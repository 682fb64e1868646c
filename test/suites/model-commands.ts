/** What can happen in the model test, as data that fast-check makes and shrinks; and how it happens. */
import fc from 'fast-check';
import { requireLamps } from './model-checks.ts';
import {
  DIALOGS,
  type ModelPublication,
  PUBLISHERS,
  type PublishedDocument,
  STATES,
  type State,
} from './model-lamps.ts';
import { Publisher } from './model-publisher.ts';
import { type AnswerMode, Watcher } from './model-watcher.ts';
import type { Outage, World } from './model-world.ts';

/** `isAwaited`: nothing else happens before it is done. */
export type Command = { readonly isAwaited: boolean } & (
  | {
      readonly kind: 'publish' | 'publishStale';
      readonly at: Place;
      readonly document: PublishedDocument;
      readonly seconds: number;
      readonly isTwice: boolean;
    }
  | { readonly kind: 'refresh'; readonly at: Place; readonly seconds: number; readonly isTwice: boolean }
  | { readonly kind: 'remove'; readonly at: Place; readonly isTwice: boolean }
  | { readonly kind: 'forget'; readonly at: Place }
  | { readonly kind: 'subscribe'; readonly watcher: number; readonly seconds: number; readonly isTwice: boolean }
  | { readonly kind: 'lose'; readonly watcher: number; readonly isSilent: boolean }
  | { readonly kind: 'takeOver'; readonly watcher: number; readonly gateway: number; readonly isNoticed: boolean }
  | { readonly kind: 'answers'; readonly watcher: number; readonly mode: AnswerMode }
  | { readonly kind: 'answerHeld'; readonly watcher: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'deliver'; readonly back: number; readonly count: number; readonly outage: Outage | undefined }
  | { readonly kind: 'startAnew'; readonly watcher: number; readonly gateway: number }
  | { readonly kind: 'kill'; readonly gateway: number }
  | { readonly kind: 'sweep' | 'report' }
  | { readonly kind: 'check' }
);

/** Which publication of which presentity; a publisher that forgot its tag has several. */
export interface Place {
  readonly publisher: number;
  readonly presentity: number;
}

export interface Plan {
  /** Decides in which order things arrive. */
  readonly order: number;
  /** Every record goes out at once; else only when a command says so. */
  readonly isEager: boolean;
  readonly presentities: number;
  readonly watchers: readonly { readonly presentity: number; readonly gateway: number; readonly isEarly: boolean }[];
  readonly commands: readonly Command[];
}

const index = (count: number) => fc.integer({ min: 0, max: count - 1 });
// Mostly the same publisher, presentity and dialog: rules that need several events of one rarely meet them otherwise.
const place: fc.Arbitrary<Place> = fc.record({
  publisher: fc.constantFrom(...PUBLISHERS.keys(), 0, 0),
  presentity: index(3),
});
const document: fc.Arbitrary<PublishedDocument> = fc.record({
  scope: fc.constantFrom<PublishedDocument['scope']>('full', 'full', 'partial'),
  states: fc
    .array(fc.tuple(fc.constantFrom(...DIALOGS.keys(), 0, 0), fc.constantFrom<State>(...STATES)), { maxLength: 3 })
    .map((pairs) => new Map(pairs)),
});
const seconds = fc.constantFrom(60, 120, 600);
const watcher = index(5);
const common = { isAwaited: fc.boolean() };
const isTwice = fc.integer({ min: 0, max: 4 }).map((n) => n === 0);
const kind = <const Kind extends string>(name: Kind) => fc.constant(name);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ ...common, kind: kind('publish'), at: place, document, seconds, isTwice }) },
  { weight: 1, arbitrary: fc.record({ ...common, kind: kind('publishStale'), at: place, document, seconds, isTwice }) },
  { weight: 1, arbitrary: fc.record({ ...common, kind: kind('refresh'), at: place, seconds, isTwice }) },
  { weight: 1, arbitrary: fc.record({ ...common, kind: kind('remove'), at: place, isTwice }) },
  { weight: 2, arbitrary: fc.record({ ...common, kind: kind('forget'), at: place }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ ...common, kind: kind('subscribe'), watcher, isTwice },
      seconds: fc.constantFrom(0, 60, 600, 3_600, 3_600),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...common, kind: kind('lose'), watcher, isSilent: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ ...common, kind: kind('takeOver'), watcher, gateway: index(2), isNoticed: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ ...common, kind: kind('answers'), watcher },
      mode: fc.constantFrom<AnswerMode>(200, 500, 'later', 'never'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...common, kind: kind('answerHeld'), watcher }) },
  {
    weight: 2,
    arbitrary: fc.record({ ...common, kind: kind('pass'), ms: fc.constantFrom(20, 1_000, 33_000, 61_000, 301_000) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      ...{ ...common, kind: kind('deliver'), back: index(4), count: fc.integer({ min: 1, max: 4 }) },
      outage: fc.constantFrom<(Outage | undefined)[]>(...Array(5).fill(undefined), 'before', 'after', 'table'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ ...common, kind: fc.constantFrom('sweep', 'report') }) },
  { weight: 1, arbitrary: fc.record({ ...common, kind: kind('check') }) },
  { weight: 1, arbitrary: fc.record({ ...common, kind: kind('startAnew'), watcher, gateway: index(2) }) },
  { weight: 1, arbitrary: fc.record({ ...common, kind: kind('kill'), gateway: index(2) }) },
);

export const plan: fc.Arbitrary<Plan> = fc.record({
  order: fc.integer(),
  isEager: fc.boolean(),
  presentities: fc.constantFrom(1, 1, 2, 3),
  watchers: fc.array(fc.record({ presentity: index(3), gateway: index(2), isEarly: fc.boolean() }), {
    ...{ minLength: 1, maxLength: 5 },
  }),
  commands: fc.array(command, { maxLength: 24, size: 'max' }),
});

/** The people of one case. */
export class Cast {
  readonly #world: World;
  /** By presentity: what is published, as the model has it. */
  readonly published: readonly ModelPublication[][];
  readonly watchers: readonly Watcher[];
  readonly #publishers: readonly (readonly Publisher[])[];

  constructor(world: World, { presentities, watchers }: Plan, name: string) {
    this.#world = world;
    const users = Array.from({ length: presentities }, (_, n) => `${name}-${n}`);
    const published: ModelPublication[][] = users.map(() => []);
    this.published = published;
    this.#publishers = users.map((user, presentity) =>
      PUBLISHERS.map((_, publisher) => new Publisher(world, publisher, user, published[presentity] ?? [])),
    );
    this.watchers = watchers.map(({ presentity, gateway, isEarly }, n) => {
      const watched = presentity % presentities;
      const created = new Watcher(world, n, watched, users[watched] ?? '');
      created.connect(gateway, true);
      if (isEarly) world.start(created.subscribe(3_600, false));
      return created;
    });
  }

  async run(step: Command): Promise<void> {
    if (step.kind === 'pass') return this.#world.pass(step.ms);
    if (step.kind === 'kill') return this.#world.kill(step.gateway);
    if (step.kind === 'check') return this.check();
    // Coming back takes a client some time.
    if (step.kind === 'takeOver' || step.kind === 'startAnew') await this.#world.pass(1_000);
    this.#world.start(this.#begin(step));
    if (step.isAwaited) await this.#world.settle();
    else await this.#world.traffic.overlap();
  }

  /** Everything on its way arrives; then whoever has answered so far knows all that there is to know. */
  async check(): Promise<void> {
    await this.#world.drain();
    requireLamps(this.#world, this);
  }

  async #begin(step: Exclude<Command, { kind: 'pass' | 'kill' | 'check' }>): Promise<unknown> {
    switch (step.kind) {
      case 'publish':
        return this.#publisher(step.at).publish(step.document, step.seconds, step.isTwice);
      case 'publishStale':
        return this.#publisher(step.at).publishStale(step.document);
      case 'refresh':
        return this.#publisher(step.at).refresh(step.seconds, step.isTwice);
      case 'remove':
        return this.#publisher(step.at).remove(step.isTwice);
      case 'forget':
        return this.#publisher(step.at).forget();
      case 'deliver':
        return this.#world.deliverRecords(step.back, step.count, step.outage);
      case 'sweep':
        return this.#world.sweep();
      case 'report':
        return this.#world.report();
      default:
        return this.#watch(this.#watcher(step.watcher), step);
    }
  }

  async #watch(watcher: Watcher, step: Extract<Command, { watcher: number }>): Promise<void> {
    switch (step.kind) {
      case 'subscribe':
        return watcher.subscribe(step.seconds, step.isTwice);
      case 'lose':
        return watcher.lose(step.isSilent);
      case 'takeOver':
        watcher.connect(step.gateway, step.isNoticed);
        return watcher.subscribe(600, false);
      case 'startAnew':
        return watcher.startAnew(step.gateway);
      case 'answers':
        watcher.answers = step.mode;
        return;
      case 'answerHeld':
        return watcher.answerHeld();
      default:
        step satisfies never;
    }
  }

  #publisher({ publisher, presentity }: Place): Publisher {
    return pick(pick(this.#publishers, presentity), publisher);
  }

  #watcher(number: number): Watcher {
    return pick(this.watchers, number);
  }
}

function pick<T>(all: readonly T[], number: number): T {
  const one = all[number % all.length];
  if (one === undefined) throw new Error('nothing to pick from');
  return one;
}
