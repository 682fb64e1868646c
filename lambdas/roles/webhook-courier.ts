/**
 * Webhook courier: one run tells one webhook all that waits for it, the state of each presentity as it is now and as the
 * webhook may see it. Runs of different webhooks know nothing of each other.
 */
import { type Address, aorOfIdentity } from '#core/identity.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import type { VaultReader } from '#core/sealed-text.ts';
import { decideAccess, NO_RULES, type WatchAccess, type WatchRules } from '#core/watch-policy.ts';
import {
  concerns,
  GIVE_UP_AFTER_MS,
  judge,
  reasonOf,
  retryDelayMs,
  type WebhookAnswer,
  watcherOf,
} from '#core/webhook.ts';
import { endedMessage, messagesOf, testMessage, type WebhookMessage } from '#core/webhook-event.ts';
import { signedFields } from '#core/webhook-signature.ts';
import { loadPresentities } from '#table/presentity-item.ts';
import { isServed, loadTenant, type Tenant } from '#table/tenant-item.ts';
import { newsPage, postponeNews, removeNews, type WaitingNews } from '#table/waiting-item.ts';
import { loadManyWatchRules } from '#table/watch-rules.ts';
import { secretsOf, type Webhook } from '#table/webhook-item.ts';
import { claimDelivery, endRun, pauseRun, type Run, type RunFacts } from '#table/webhook-queue.ts';
import { inParallel } from './batches.ts';
import type { ChangePorts } from './change.ts';
import { failureFields, type RoleLog } from './role-log.ts';
import { switchOff } from './webhook-desk.ts';

export interface CourierPorts extends ChangePorts {
  readonly vault: VaultReader;
  readonly telemetry: RoleLog;
  readonly clock: () => number;
  /** 0 to 1. */
  readonly chance: () => number;
  readonly connect: (url: string) => {
    /** One POST. Never throws. */
    post(fields: Readonly<Record<string, string>>, body: string): Promise<WebhookAnswer>;
    close(): void;
  };
}

const HOP = 'webhook';
/** A run begins nothing new after this; another one goes on. */
const RUN_MS = 40_000;
/** When another run may take over: a run and its last three POSTs are over by then. */
const CLAIM_MS = 75_000;
/** News read at once: one Query, two BatchGetItem. */
const PAGE = 50;
/** POSTs under way at once. */
const PARALLEL = 4;
/** In a row: the receiver is in trouble, whatever else waits. */
const ENOUGH_FAILURES = 3;
const RUN_ID_BYTES = 9;

export type Outcome = 'not due' | 'told' | 'unfinished' | 'failing' | 'switched off';

/**
 * Delivers what waits for a webhook, if something is due and nobody else is at it. Two UpdateItem and one GetItem a run; for
 * 50 presentities one Query and two BatchGetItem; for each of them a POST and a DeleteItem.
 */
export async function deliverNews(name: Omit<Run, 'run'>, ports: CourierPorts): Promise<Outcome> {
  const run = { ...name, run: ports.random(RUN_ID_BYTES).toString('base64url') };
  const startedMs = ports.clock();
  const webhook = await claimDelivery(ports.table, run, startedMs, startedMs + CLAIM_MS);
  const tenant = webhook && (await loadTenant(ports.table, run.domain, { consistent: true }));
  // Of a tenant that goes everything is removed anyway.
  if (webhook === undefined || tenant === undefined || !isServed(tenant)) return 'not due';
  const secrets = secretsOf(await ports.vault(), webhook, startedMs);
  const connection = ports.connect(webhook.settings.url);
  const round = new Round(run, webhook, tenant, ports, async ({ id, body }) =>
    connection.post(signedFields(secrets, id, ports.clock(), body), body),
  );
  try {
    const outcome = await round.deliver(startedMs + RUN_MS);
    const durationMs = ports.clock() - startedMs;
    const { told, failure } = round;
    const level = outcome === 'told' ? 'info' : 'warn';
    ports.telemetry.log(level, HOP, { ...name, outcome, told, reason: failure?.reason, durationMs });
    return outcome;
  } finally {
    connection.close();
  }
}

/** What is known of the presentities of a page. */
interface Known {
  readonly states: ReadonlyMap<string, Presentity>;
  readonly accounts: ReadonlyMap<string, WatchRules>;
}

/** One run, with what it finds out on its way. */
class Round {
  readonly #run: Run;
  readonly #webhook: Webhook;
  readonly #tenant: Tenant;
  readonly #ports: CourierPorts;
  readonly #post: (message: WebhookMessage) => Promise<WebhookAnswer>;
  /** By user: the mark of what was not taken. */
  readonly #failed = new Map<string, WaitingNews>();
  #facts: RunFacts = {};
  #inARow = 0;
  #retryAfterSeconds = 0;
  #end: 'failing' | 'gone' | undefined;
  /** Messages that were taken. */
  told = 0;

  constructor(
    run: Run,
    webhook: Webhook,
    tenant: Tenant,
    ports: CourierPorts,
    post: (message: WebhookMessage) => Promise<WebhookAnswer>,
  ) {
    this.#run = run;
    this.#webhook = webhook;
    this.#tenant = tenant;
    this.#ports = ports;
    this.#post = post;
  }

  get failure(): RunFacts['failure'] {
    return this.#facts.failure;
  }

  async deliver(untilMs: number): Promise<Outcome> {
    const { table } = this.#ports;
    for (let seen: number | undefined = this.#webhook.asked; seen !== undefined; ) {
      const isThrough = await this.#deliverAll(untilMs);
      if (this.#end === 'gone') return this.#switchOff('The receiver answered 410 Gone.');
      const isInTrouble = this.#end === 'failing' || (this.#failed.size > 0 && this.told === 0);
      if (isInTrouble) return this.#comeBackLater();
      if (!isThrough) {
        await pauseRun(table, this.#run, this.#facts, this.#ports.clock());
        return 'unfinished';
      }
      for (const news of this.#failed.values()) await this.#postpone(news);
      this.#failed.clear();
      seen = await endRun(table, this.#run, seen, this.#facts);
    }
    return 'told';
  }

  /** @returns false when there was no time for all */
  async #deliverAll(untilMs: number): Promise<boolean> {
    for (let after: string | undefined, isMore = true; isMore; isMore = after !== undefined) {
      const { news, next } = await newsPage(this.#ports.table, this.#run, after, PAGE);
      const open = news.filter(({ isPostponed, user, mark }) => !isPostponed && this.#failed.get(user)?.mark !== mark);
      const known = await this.#knownOf(open);
      await inParallel(open, PARALLEL, async (each) => {
        if (this.#end === undefined && this.#ports.clock() < untilMs) await this.#deliverOne(each, known);
      });
      if (this.#end !== undefined || this.#ports.clock() >= untilMs) return false;
      after = next;
    }
    return true;
  }

  /** Nothing is read for a test alone. */
  async #knownOf(news: readonly WaitingNews[]): Promise<Known> {
    const { domain } = this.#run;
    const users = news.filter(({ testId }) => testId === undefined).map(({ user }) => ({ domain, user }));
    if (users.length === 0) return { states: new Map(), accounts: new Map() };
    const [states, accounts] = await Promise.all([
      loadPresentities(this.#ports.table, users),
      loadManyWatchRules(this.#ports.table, [...users, this.#watcher]),
    ]);
    return { states, accounts };
  }

  get #watcher(): Address {
    return { domain: this.#run.domain, user: watcherOf(this.#run.id, this.#webhook.settings) };
  }

  async #deliverOne(news: WaitingNews, known: Known): Promise<void> {
    const name = { ...this.#run, user: news.user };
    if (news.testId !== undefined) return this.#test(news, news.testId);
    for (const message of this.#messagesOf(news, known)) {
      const answer = await this.#post(message);
      const verdict = judge(answer);
      this.#note(verdict, answer);
      if (verdict === 'refused') return this.#postpone(news);
      if (verdict === 'failed') this.#failed.set(news.user, news);
      if (verdict !== 'delivered') return;
    }
    await removeNews(this.#ports.table, name, news.mark);
  }

  #messagesOf(news: WaitingNews, { states, accounts }: Known): WebhookMessage[] {
    const { id, domain } = this.#run;
    const { settings } = this.#webhook;
    const address = { domain, user: news.user };
    const aor = aorOfIdentity(address);
    const account = accounts.get(aor);
    const access = this.#accessTo(address, account, accounts);
    if (!concerns(settings, news.user, account?.groups ?? [])) return [];
    if (news.isGone && account === undefined)
      return access === 'blocked' ? [] : [endedMessage(id, address, 'noresource', news.atMs, news.atMs)];
    return messagesOf(id, settings.events, address, states.get(aor) ?? NO_STATE, access, news);
  }

  /** As a SUBSCRIBE of its watcher would be decided; one whose account is gone may see nothing. */
  #accessTo(address: Address, account: WatchRules | undefined, accounts: ReadonlyMap<string, WatchRules>): WatchAccess {
    const rules = accounts.get(aorOfIdentity(this.#watcher));
    if (rules === undefined && this.#webhook.settings.watcher !== undefined) return 'blocked';
    const watcher = { address: this.#watcher, rules: rules ?? NO_RULES };
    return decideAccess(watcher, { address, rules: account ?? NO_RULES }, this.#tenant.watch, true);
  }

  #note(verdict: ReturnType<typeof judge>, answer: WebhookAnswer): void {
    const atMs = this.#ports.clock();
    if (verdict === 'delivered') {
      this.told += 1;
      this.#inARow = 0;
      this.#facts = { ...this.#facts, succeededAtMs: atMs };
      return;
    }
    this.#facts = { ...this.#facts, failure: { atMs, reason: reasonOf(answer) } };
    if (verdict === 'gone') this.#end = 'gone';
    if (verdict !== 'failed') return;
    this.#inARow += 1;
    // One that hangs is not given another of our seconds now.
    if (this.#inARow >= ENOUGH_FAILURES || (answer.kind === 'failed' && answer.isSlow)) this.#end ??= 'failing';
    if (answer.kind === 'answered') this.#retryAfterSeconds = answer.retryAfterSeconds ?? 0;
  }

  /** Its answer is told, whatever it is, and it is never tried again. */
  async #test(news: WaitingNews, testId: string): Promise<void> {
    const { id, domain } = this.#run;
    const answer = await this.#post(testMessage(id, domain, testId, news.atMs));
    const atMs = this.#ports.clock();
    const isTaken = judge(answer) === 'delivered';
    const test = { id: testId, atMs, outcome: isTaken ? 'delivered' : reasonOf(answer) };
    this.#facts = { ...this.#facts, test, ...(isTaken && { succeededAtMs: atMs }) };
    await removeNews(this.#ports.table, { ...this.#run, user: news.user }, news.mark);
  }

  /** What the receiver takes of others waits by itself; what is too old is given up. */
  async #postpone(news: WaitingNews): Promise<void> {
    const { table, clock, chance, telemetry } = this.#ports;
    const name = { ...this.#run, user: news.user };
    const nowMs = clock();
    if (nowMs - news.sinceMs < GIVE_UP_AFTER_MS) {
      await postponeNews(table, name, news, nowMs + retryDelayMs(news.attempts + 1, chance()));
      return;
    }
    telemetry.log('warn', HOP, { domain: name.domain, id: name.id, presentity: name.user, outcome: 'given up' });
    await removeNews(table, name, news.mark);
  }

  async #comeBackLater(): Promise<Outcome> {
    const { table, clock, chance } = this.#ports;
    const nowMs = clock();
    const { failures, failingSinceMs = nowMs } = this.told > 0 ? { failures: 0 } : this.#webhook.health;
    const reason = this.failure?.reason;
    if (nowMs - failingSinceMs >= GIVE_UP_AFTER_MS)
      return this.#switchOff(`No message was taken for ${GIVE_UP_AFTER_MS / 3_600_000} hours: ${reason}.`);
    const delayMs = retryDelayMs(failures + 1, chance(), this.#retryAfterSeconds);
    await pauseRun(table, this.#run, this.#facts, nowMs + delayMs, { failures: failures + 1, failingSinceMs });
    return 'failing';
  }

  async #switchOff(reason: string): Promise<Outcome> {
    try {
      await switchOff(this.#ports, this.#run, this.#webhook, this.#facts, reason, this.#ports.clock());
    } catch (error) {
      // The claim ends, and the next run finds the same.
      this.#ports.telemetry.log('warn', HOP, failureFields(error));
    }
    return 'switched off';
  }
}
