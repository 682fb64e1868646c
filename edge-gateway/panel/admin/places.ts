/** The way through the console: where one can go with this key, and where one is. */
import { link } from '#gateway/panel/admin/parts.ts';
import { hrefOf, type Place, TENANT_TABS, type TenantTab } from '#gateway/panel/admin/place.ts';
import type { Account } from '#gateway/panel/admin/session.ts';
import { byId, element, setText } from '#gateway/panel/dom.ts';

const TAB_NAMES = {
  lamps: 'Lamps',
  users: 'Users',
  connections: 'Connections',
  subscriptions: 'Subscriptions',
  calls: 'Calls',
  limits: 'Limits',
  keys: 'Keys',
  webhooks: 'Webhooks',
  settings: 'Settings',
  audit: 'Audit',
} as const satisfies Record<TenantTab, string>;

const OPERATOR_PLACES = { tenants: 'Tenants', keys: 'Keys of operators', audit: 'Audit of operators' } as const;

/** What only a key that may change things is shown at all. */
const FOR_ADMINS: readonly string[] = ['keys', 'webhooks', 'audit'];

const isOpen = (tab: string, { mayChange }: Account): boolean => mayChange || !FOR_ADMINS.includes(tab);

/** Where this key leads: that of a tenant to its own only. */
export function placeFor(place: Place, { tenant }: Account): Place {
  if (tenant === undefined || (place.kind === 'tenant' && place.domain === tenant)) return place;
  return { kind: 'tenant', domain: tenant, tab: 'lamps' };
}

export class Places {
  readonly #nav = byId('places', HTMLElement);
  readonly #account = byId('account', HTMLElement);

  constructor(onSignOut: () => void) {
    byId('sign-out', HTMLButtonElement).addEventListener('click', onSignOut);
  }

  /** @returns the name of the place */
  show(place: Place, account: Account): string {
    this.#nav.hidden = false;
    this.#account.hidden = false;
    setText(byId('account-name', HTMLElement), `${account.prefix} · ${account.tenant ?? 'operator'}`);
    const rows = [
      ...(account.tenant === undefined ? [operatorRow(place, account)] : []),
      ...(place.kind === 'tenant' ? [tenantRow(place, account)] : []),
    ];
    this.#nav.replaceChildren(...rows);
    if (place.kind !== 'tenant') return OPERATOR_PLACES[place.kind];
    return `${place.user ?? TAB_NAMES[place.tab]}, ${place.domain}`;
  }

  hide(): void {
    this.#nav.hidden = true;
    this.#account.hidden = true;
  }
}

function operatorRow(place: Place, account: Account): HTMLElement {
  const kinds = (Object.keys(OPERATOR_PLACES) as (keyof typeof OPERATOR_PLACES)[]).filter((kind) =>
    isOpen(kind, account),
  );
  const current = place.kind === 'tenant' ? 'tenants' : place.kind;
  const title = place.kind === 'tenant' ? [] : [element('h1', { class: 'visually-hidden' }, 'The deployment')];
  return row(
    kinds.map((kind) => placeLink(OPERATOR_PLACES[kind], { kind }, kind === current)),
    ...title,
  );
}

function tenantRow({ domain, tab: current }: Extract<Place, { kind: 'tenant' }>, account: Account): HTMLElement {
  const tabs = TENANT_TABS.filter((tab) => isOpen(tab, account));
  const links = tabs.map((tab) => placeLink(TAB_NAMES[tab], { kind: 'tenant', domain, tab }, tab === current));
  return row(links, element('h1', { class: 'tenant-name' }, domain));
}

function placeLink(name: string, place: Place, isCurrent: boolean): HTMLElement {
  const made = link(name, hrefOf(place));
  if (isCurrent) made.setAttribute('aria-current', 'page');
  return made;
}

const row = (links: readonly HTMLElement[], ...before: HTMLElement[]): HTMLElement =>
  element(
    'div',
    { class: 'places-row' },
    ...before,
    element('ul', {}, ...links.map((each) => element('li', {}, each))),
  );
