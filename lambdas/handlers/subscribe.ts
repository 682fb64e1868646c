/** Lambda entry of SUBSCRIBE. */
import { subscribe } from '#roles/notifier.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { createRequestHandler } from './request-handler.ts';
import { createListFinder, createRequestPorts, createWatchRulesFinder } from './request-ports.ts';
import { withQuotas } from './with-quotas.ts';

const environment = readEnvironment();
const requestPorts = createRequestPorts(environment);
const ports = {
  ...requestPorts,
  chance: Math.random,
  findList: createListFinder(requestPorts.table),
  findWatchRules: createWatchRulesFinder(requestPorts.table),
};

export const handler = withQuotas(
  createRequestHandler(
    'subscribe',
    (envelope, nowMs) => subscribe(envelope, ports, nowMs),
    createTelemetry(environment.logLevel),
  ),
  ports,
);
