/** All routes of the HTTP API. A new family gets a file of its own beside this one and a line here. */
import { CALL_ROUTES } from './calls.ts';
import { INGEST_ROUTES } from './ingest.ts';
import { openApiRoute } from './openapi.ts';
import type { Route } from './route.ts';
import { TOKEN_ROUTES } from './tokens.ts';
import { USER_ROUTES } from './users.ts';

const RESOURCES: readonly Route[] = [...USER_ROUTES, ...TOKEN_ROUTES, ...INGEST_ROUTES, ...CALL_ROUTES];

export const ROUTES: readonly Route[] = [...RESOURCES, openApiRoute(RESOURCES)];
