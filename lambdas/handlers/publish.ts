/** Lambda entry of PUBLISH. */
import { randomBytes } from 'node:crypto';
import { publish } from '#roles/compositor.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { createRequestHandler } from './request-handler.ts';
import { createRequestPorts } from './request-ports.ts';
import { withQuotas } from './with-quotas.ts';

const environment = readEnvironment();
const ports = { ...createRequestPorts(environment), randomBytes };

export const handler = withQuotas(
  createRequestHandler(
    'publish',
    (envelope, nowMs) => publish(envelope, ports, nowMs),
    createTelemetry(environment.logLevel),
  ),
  ports,
);
