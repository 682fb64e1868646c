/**
 * What changes in a presentity's item without a PUBLISH: its registration, and counts of changes in other items
 * (bindings, watchers) that somebody watches. Each is one conditional UpdateItem.
 */
import type { Address } from '#core/identity.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import { presentityPartition, stateKey } from './keys.ts';
import { changesAttribute, decodePresentity, watchedAttribute } from './presentity-item.ts';
import { ITEM_NAMES, listingOf, stampOf } from './publication-expression.ts';
import type { Attributes, Table, Update } from './table.ts';

/** The event package whose documents show bindings. */
const REG = 'reg';

/** A binding has come. Refused, which is fine, when the user was registered and nobody watches its bindings. */
export async function markRegistered(table: Table, { domain, user }: Address, nowMs: number): Promise<void> {
  const update = registrationUpdate({ domain, user }, true, nowMs);
  const condition = '(attribute_not_exists(#registered) OR #registered = :no OR #watched > :now)';
  await table.update(stateKey(domain, user), {
    ...update,
    condition,
    names: { ...update.names, '#watched': watchedAttribute(REG) },
    values: { ...update.values, ':no': false },
  });
}

/**
 * The last binding has gone. Refused, which is fine, when there is no state: it says so of itself.
 * @returns the version that this made: see {@link takeBackUnregistered}
 */
export async function markUnregistered(table: Table, { domain, user }: Address, nowMs: number): Promise<number> {
  const condition = 'attribute_exists(PK)';
  const update = { ...registrationUpdate({ domain, user }, false, nowMs), condition, returning: 'ALL_NEW' as const };
  const result = await table.update(stateKey(domain, user), update);
  return result.kind === 'done' && result.item ? decodePresentity(result.item).version : 0;
}

/** A binding came while the user was marked as unregistered; refused when something else has changed since. */
export async function takeBackUnregistered(
  table: Table,
  { domain, user }: Address,
  version: number,
  nowMs: number,
): Promise<void> {
  const update = registrationUpdate({ domain, user }, true, nowMs);
  await table.update(stateKey(domain, user), {
    ...update,
    condition: '#version = :seen',
    values: { ...update.values, ':seen': version },
  });
}

/** Something that an event package shows has changed in another item. Refused when nobody watches it. */
export async function countChange(
  table: Table,
  { domain, user }: Address,
  event: string,
  nowMs: number,
): Promise<void> {
  const stamp = stampOf(nowMs);
  await table.update(stateKey(domain, user), {
    update: `SET ${[...stamp.set, COUNT_CHANGE].join(', ')}`,
    condition: '#watched > :now',
    names: { ...stamp.names, '#changes': changesAttribute(event), '#watched': watchedAttribute(event) },
    values: { ...stamp.values, ':none': 0 },
  });
}

/** From now on changes of what this event package shows are counted. No change of the state by itself. */
export async function countChangesUntil(
  table: Table,
  { domain, user }: Address,
  event: string,
  untilMs: number,
  nowMs: number,
): Promise<void> {
  const [stamp, listing] = [stampOf(nowMs), listingOf(presentityPartition(domain, user))];
  const first = ['#version = if_not_exists(#version, :now)', '#changed = if_not_exists(#changed, :now)'];
  await table.update(stateKey(domain, user), {
    update: `SET ${[...first, '#ttl = :ttl', '#watched = :until', ...listing.set].join(', ')}`,
    condition: '(attribute_not_exists(#watched) OR #watched < :until)',
    names: { ...ITEM_NAMES, ...listing.names, '#watched': watchedAttribute(event) },
    values: { ...listing.values, ':now': nowMs, ':ttl': stamp.values[':ttl'], ':until': untilMs },
  });
}

/**
 * Who may watch is decided anew from now on: whoever subscribes from here on looks at it. No change of the state by itself;
 * {@link markSeenAnew} follows when somebody sees it otherwise.
 * @returns the number of this decision
 */
export async function markDecidedAnew(table: Table, { domain, user }: Address, nowMs: number): Promise<number> {
  const [stamp, listing] = [stampOf(nowMs), listingOf(presentityPartition(domain, user))];
  const first = ['#version = if_not_exists(#version, :now)', '#changed = if_not_exists(#changed, :now)'];
  const decision = ['accessAtMs = :now', 'decisions = if_not_exists(decisions, :none) + :one'];
  const result = await table.update(stateKey(domain, user), {
    update: `SET ${[...first, '#ttl = :ttl', ...decision, ...listing.set].join(', ')}`,
    names: { ...ITEM_NAMES, ...listing.names },
    values: { ...listing.values, ':now': nowMs, ':ttl': stamp.values[':ttl'], ':none': 0, ':one': 1 },
    returning: 'ALL_NEW',
  });
  return result.item ? (decodePresentity(result.item).decisions ?? 0) : 0;
}

/** Some see the same state in another way: a new version, so that it goes before what was sent until now. */
export async function markSeenAnew(table: Table, { domain, user }: Address, nowMs: number): Promise<Presentity> {
  const stamp = stampOf(nowMs);
  const result = await table.update(stateKey(domain, user), {
    update: `SET ${stamp.set.join(', ')}`,
    ...{ names: stamp.names, values: stamp.values, returning: 'ALL_NEW' },
  });
  return result.item ? decodePresentity(result.item) : NO_STATE;
}

/**
 * What stands gets a version above one that gateways have seen: it may have come from a region that counted less.
 * One UpdateItem; a second one when it has been changed meanwhile.
 */
export async function raiseVersion(
  table: Table,
  address: Address,
  seenVersion: number,
  nowMs: number,
): Promise<Presentity> {
  const result = await table.update(stateKey(address.domain, address.user), {
    update: 'SET #version = :next, #changed = :now',
    condition: '#version < :next',
    names: { '#version': 'version', '#changed': 'changedAtMs' },
    values: { ':next': seenVersion + 1, ':now': nowMs },
    returning: 'ALL_NEW',
  });
  // Refused: a newer one stands, which its own record may show as no change.
  return result.kind === 'done' && result.item ? decodePresentity(result.item) : markSeenAnew(table, address, nowMs);
}

const COUNT_CHANGE = '#changes = if_not_exists(#changes, :none) + :one';

function registrationUpdate(
  { domain, user }: Address,
  isRegistered: boolean,
  nowMs: number,
): Update & { values: Attributes } {
  const [stamp, listing] = [stampOf(nowMs), listingOf(presentityPartition(domain, user))];
  return {
    update: `SET ${[...stamp.set, ...listing.set, COUNT_CHANGE, '#registered = :registered'].join(', ')}`,
    names: { ...stamp.names, ...listing.names, '#changes': changesAttribute(REG), '#registered': 'registered' },
    values: { ...stamp.values, ...listing.values, ':none': 0, ':registered': isRegistered },
  };
}
