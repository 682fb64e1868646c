/** Lambda entry of a gateway's question at a handshake: whom does this token prove? */
import { signInRequest } from '#contract/sign-in.ts';
import { signIn } from '#roles/sign-in-desk.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { createReportHandler } from './report-handler.ts';
import { createRequestPorts } from './request-ports.ts';

const environment = readEnvironment();
const ports = createRequestPorts(environment);

export const handler = createReportHandler(
  'sign-in',
  signInRequest,
  (request, nowMs) => signIn(request, ports, nowMs),
  createTelemetry(environment.logLevel),
);
