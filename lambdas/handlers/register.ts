/** Lambda entry of REGISTER. */
import { register } from '#roles/registrar.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { createRequestHandler } from './request-handler.ts';
import { createRequestPorts, ofServedTenants } from './request-ports.ts';
import { withQuotas } from './with-quotas.ts';

const environment = readEnvironment();
const ports = createRequestPorts(environment);

export const handler = withQuotas(
  createRequestHandler(
    'register',
    ofServedTenants((envelope, nowMs) => register(envelope, ports, nowMs), ports),
    createTelemetry(environment.logLevel),
  ),
  ports,
);
