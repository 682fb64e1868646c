/** Every message between gateways and functions, by who reads it: the schemas, and messages that a release writes. */
import { callReport } from '#contract/call.ts';
import { flowClosedReport, leaseGrant, leaseReport } from '#contract/gateway-report.ts';
import { instructionAnswer, instructionBatch } from '#contract/instruction.ts';
import { outcomeBatch } from '#contract/outcome.ts';
import { requestBatch, requestEnvelope } from '#contract/request-envelope.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import { signInAnswer, signInRequest } from '#contract/sign-in.ts';
import { examplesOf } from './examples.ts';

/** Written by a gateway, read by a function. */
export const TO_FUNCTIONS = {
  requestEnvelope,
  leaseReport,
  flowClosedReport,
  callReport,
  signInRequest,
  instructionAnswer,
};
/** Written by a function (instructions by another gateway, too), read by a gateway. */
export const TO_GATEWAYS = { outcomeBatch, leaseGrant, signInAnswer, instructionBatch };
/** Messages that say their version; an envelope has that of its batch. */
export const VERSIONED = {
  requestBatch,
  leaseReport,
  flowClosedReport,
  callReport,
  signInRequest,
  outcomeBatch,
  instructionBatch,
};

export const SCHEMAS = { ...TO_FUNCTIONS, ...TO_GATEWAYS, requestBatch };
export type MessageName = keyof typeof TO_FUNCTIONS | keyof typeof TO_GATEWAYS;
export const MESSAGE_NAMES = [...Object.keys(TO_FUNCTIONS), ...Object.keys(TO_GATEWAYS)] as MessageName[];

export const messagesOf = (name: MessageName): unknown[] => examplesOf(SCHEMAS[name]);
export { CONTRACT_VERSION };
