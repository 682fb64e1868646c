/** Lambda entry of REGISTER. */
import { register } from '#roles/registrar.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { createRequestHandler } from './request-handler.ts';
import { createRequestPorts } from './request-ports.ts';
import { withQuotas } from './with-quotas.ts';

const environment = readEnvironment();
const ports = createRequestPorts(environment);

export const handler = withQuotas(
  createRequestHandler(
    'register',
    (envelope, nowMs) => register(envelope, ports, nowMs),
    createTelemetry(environment.logLevel),
  ),
  ports,
);
