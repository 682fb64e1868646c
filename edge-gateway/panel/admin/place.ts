/** Where in the console one is: a place in words, and as the fragment of the address. Pure. */

export const TENANT_TABS = [
  ...['lamps', 'users', 'connections', 'subscriptions', 'calls', 'limits', 'keys', 'webhooks', 'settings', 'audit'],
] as const;
export type TenantTab = (typeof TENANT_TABS)[number];

export type Place =
  | { readonly kind: 'tenants' | 'keys' | 'audit' }
  /** `user`: of one lamp, why it is as it is. */
  | { readonly kind: 'tenant'; readonly domain: string; readonly tab: TenantTab; readonly user?: string };

const isTab = (text: string): text is TenantTab => (TENANT_TABS as readonly string[]).includes(text);

/** @param hash with or without `#`; what is none of ours is the list of tenants */
export function readPlace(hash: string): Place {
  const [kind = '', domain = '', tab = '', user] = hash
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decoded);
  if (kind === 'keys' || kind === 'audit') return { kind };
  if (kind !== 'tenants' || domain === '') return { kind: 'tenants' };
  if (!isTab(tab)) return { kind: 'tenant', domain, tab: 'lamps' };
  return { kind: 'tenant', domain, tab, ...(tab === 'lamps' && user && { user }) };
}

export function hrefOf(place: Place): string {
  if (place.kind !== 'tenant') return `#/${place.kind}`;
  const parts = ['tenants', place.domain, place.tab, ...(place.user === undefined ? [] : [place.user])];
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
