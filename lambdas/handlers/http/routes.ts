/** All routes of the HTTP API. A new family gets a file of its own beside this one and a line here. */
import { AUDIT_ROUTES } from './audit.ts';
import { CALL_ROUTES } from './calls.ts';
import { CONNECTION_ROUTES } from './connections.ts';
import { EXPORT_ROUTES } from './export.ts';
import { INGEST_ROUTES } from './ingest.ts';
import { KEY_ROUTES } from './keys.ts';
import { LIMIT_ROUTES } from './limits.ts';
import { LIST_ROUTES } from './lists.ts';
import { LIVE_ROUTES } from './live.ts';
import { openApiRoute } from './openapi.ts';
import { OWN_KEY_ROUTES } from './own-key.ts';
import type { Route } from './route.ts';
import { TENANT_ROUTES } from './tenants.ts';
import { TOKEN_ROUTES } from './tokens.ts';
import { TRUNK_ROUTES } from './trunks.ts';
import { USER_ROUTES } from './users.ts';
import { WATCHER_ROUTES } from './watchers.ts';
import { WEBHOOK_ROUTES } from './webhooks.ts';

const RESOURCES: readonly Route[] = [
  ...TENANT_ROUTES,
  ...USER_ROUTES,
  ...LIST_ROUTES,
  ...TRUNK_ROUTES,
  ...TOKEN_ROUTES,
  ...KEY_ROUTES,
  ...OWN_KEY_ROUTES,
  ...AUDIT_ROUTES,
  ...EXPORT_ROUTES,
  ...LIVE_ROUTES,
  ...CONNECTION_ROUTES,
  ...LIMIT_ROUTES,
  ...WATCHER_ROUTES,
  ...INGEST_ROUTES,
  ...WEBHOOK_ROUTES,
  ...CALL_ROUTES,
];

export const ROUTES: readonly Route[] = [...RESOURCES, openApiRoute(RESOURCES)];
