/** The part of a gateway that keeps calls, put together. */
import type { GatewayId } from '#contract/ids.ts';
import type { FunctionQueue, Invoke } from '../backend.ts';
import type { GatewayConfig } from '../config.ts';
import type { FlowTable, Transport } from '../flow-table.ts';
import type { Outbox } from '../outbox.ts';
import type { Telemetry } from '../telemetry.ts';
import type { TenantLedger } from '../tenants/tenant-ledger.ts';
import { TrunkLink, type TrunkLinkPorts } from '../trunk/trunk-link.ts';
import { type CallContext, send } from './call-context.ts';
import { CallPath } from './call-path.ts';
import { CallReports } from './call-reports.ts';
import { CallTable } from './call-table.ts';
import { CallTransactions } from './call-transactions.ts';
import { FlowTokens } from './flow-token.ts';
import { PeerLink } from './peer-link.ts';

export interface CallParts {
  readonly callPath: CallPath;
  readonly calls: CallTable;
  readonly transactions: CallTransactions;
  readonly reports: CallReports;
  readonly peers: PeerLink;
}

export interface CallAssembly {
  readonly gatewayId: GatewayId;
  readonly gatewayHost: string;
  readonly transport: Transport;
  /** Base URL of the private port; known when that listens. */
  readonly address: () => string;
  readonly flows: FlowTable;
  readonly outbox: Outbox;
  readonly invoke: Invoke;
  readonly queue: FunctionQueue;
  readonly tenants: TenantLedger;
  readonly telemetry: Telemetry;
  readonly nowMs: () => number;
  /** Shared with functions and other gateways; the first one signs, all are accepted. */
  readonly secrets: () => readonly string[];
  readonly identities: CallContext['identities'];
  /** Connections to trunks, and where trunks reach us; none when there is no listener for them. */
  readonly trunks?: Pick<TrunkLinkPorts, 'connections' | 'listener'> | undefined;
}

export function assembleCalls(config: GatewayConfig, given: CallAssembly): CallParts {
  const {
    gatewayId,
    gatewayHost,
    transport,
    address,
    flows,
    outbox,
    invoke,
    queue,
    tenants,
    telemetry,
    nowMs,
    trunks,
    secrets,
  } = given;
  const { log, counts } = telemetry;
  const peers = new PeerLink({
    ...{ self: () => ({ gatewayId, address: address() }), secrets, nowMs, counts, log },
    gone: (peer, undelivered) => callPath.gatewayLost(peer, undelivered),
  });
  const reports = new CallReports({ gatewayId, functionName: config.FUNCTIONS.callReport, invoke, log, counts });
  const calls = new CallTable();
  const transactions = new CallTransactions((flow, text) => send(context, flow, text));
  const settings = {
    ...{ gatewayId, gatewayHost, transport, maxCalls: config.MAX_CALLS },
    maxCallsPerTrunkConnection: config.MAX_CALLS_PER_TRUNK_CONNECTION,
    ...{ maxCallsPerFlow: config.MAX_CALLS_PER_FLOW, graceMs: config.CALL_GRACE_SECONDS * 1000 },
  };
  const deliver: TrunkLinkPorts['deliver'] = (...answer) => callPath.answered(...answer);
  const trunkPorts = { gatewayId, calls, outbox, queue, telemetry, nowMs, deliver };
  const trunk = trunks && new TrunkLink({ ...trunkPorts, ...trunks });
  const context: CallContext = {
    ...{ settings, address, flows, outbox, peers, tokens: new FlowTokens(secrets), reports, transactions, calls },
    ...{ queue, trunk, tenants, counts, log, nowMs, identities: given.identities },
  };
  const callPath = new CallPath(context);
  return { callPath, calls, transactions, reports, peers };
}
