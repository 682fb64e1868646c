/** Lambda entry of INVITE, and of requests in a call whose sender or target a gateway does not know. */
import { routeCall } from '#roles/call-router.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { createRequestHandler } from './request-handler.ts';
import { createRequestPorts } from './request-ports.ts';

const environment = readEnvironment();
const telemetry = createTelemetry(environment.logLevel);
const requestPorts = createRequestPorts(environment);
const ports = { ...requestPorts, leases: openLeaseBook(requestPorts.table), telemetry };

export const handler = createRequestHandler('call', (envelope, nowMs) => routeCall(envelope, ports, nowMs), telemetry);
