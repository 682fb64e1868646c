/** Which view stands at which place. */
import { auditView } from '#gateway/panel/admin/audit-view.ts';
import { callsView } from '#gateway/panel/admin/calls-view.ts';
import { connectionsView } from '#gateway/panel/admin/connections-view.ts';
import { keysView } from '#gateway/panel/admin/keys-view.ts';
import { lampsView } from '#gateway/panel/admin/lamps-view.ts';
import { limitsView } from '#gateway/panel/admin/limits-view.ts';
import type { Place, TenantTab } from '#gateway/panel/admin/place.ts';
import { settingsView } from '#gateway/panel/admin/settings-view.ts';
import { subscriptionsView } from '#gateway/panel/admin/subscriptions-view.ts';
import { tenantsView } from '#gateway/panel/admin/tenants-view.ts';
import { usersView } from '#gateway/panel/admin/users-view.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { webhooksView } from '#gateway/panel/admin/webhooks-view.ts';
import { whyView } from '#gateway/panel/admin/why-view.ts';

const TENANT_VIEWS = {
  lamps: lampsView,
  users: usersView,
  connections: connectionsView,
  subscriptions: subscriptionsView,
  calls: callsView,
  limits: limitsView,
  keys: keysView,
  webhooks: webhooksView,
  settings: settingsView,
  audit: auditView,
} as const satisfies Record<TenantTab, (ports: ViewPorts, domain: string) => View>;

const OPERATOR_VIEWS = {
  tenants: tenantsView,
  keys: (ports: ViewPorts) => keysView(ports, undefined),
  audit: (ports: ViewPorts) => auditView(ports, undefined),
} as const;

export function viewOf(ports: ViewPorts, place: Place): View {
  if (place.kind !== 'tenant') return OPERATOR_VIEWS[place.kind](ports);
  if (place.user !== undefined) return whyView(ports, place.domain, place.user);
  return TENANT_VIEWS[place.tab](ports, place.domain);
}
