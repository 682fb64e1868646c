/** One gateway, put together: tables, roads, servers and clocks; and how it drains. */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import { type GatewayId, gatewayIdOf, type SubscriptionId } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import { createInvoke, FunctionQueue, type Invoke, type TakeQuotas } from './backend.ts';
import { assembleCalls, type CallParts } from './calls/assemble-calls.ts';
import { type GatewayConfig, readTlsFiles } from './config.ts';
import { drainFlows } from './drain.ts';
import { FlowGuard } from './flow-guard.ts';
import { type Flow, FlowTable } from './flow-table.ts';
import { ForwardPath } from './forward-path.ts';
import { FunctionReach } from './function-reach.ts';
import { gaugesOf } from './gauges.ts';
import { createSignIn, type SignInByToken } from './handshake-token.ts';
import { createHttpListener } from './health.ts';
import { iceServersFor } from './ice-servers.ts';
import { IdentityKeeper } from './identity-keeper.ts';
import { carryOut, createInstructionServer, type IntakePorts, type PromptInstruction } from './instruction-intake.ts';
import { type InstructionKeys, openInstructionKeys } from './instruction-keys.ts';
import { LampStreams } from './lamps/lamp-streams.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { MetricLog } from './metric-log.ts';
import { NotifyPath } from './notify-path.ts';
import { Outbox } from './outbox.ts';
import { carryOutOfOutcome } from './outcome-instructions.ts';
import { loadPanel } from './panel-files.ts';
import { ReportQueue } from './report-queue.ts';
import { RequestPath } from './request-path.ts';
import { SignOuts } from './sign-outs.ts';
import { SubscriptionTable } from './subscription-table.ts';
import { TaskProtection } from './task-protection.ts';
import { createTelemetry, registerGauges, type Telemetry } from './telemetry.ts';
import { closersOf, type TenantCloserPorts } from './tenant-closer.ts';
import { TenantLedger } from './tenants/tenant-ledger.ts';
import { registerTenantMetrics } from './tenants/tenant-metrics.ts';
import type { TrunkPorts } from './trunk/trunk-connections.ts';
import { createTrunkListeners, type TrunkListeners } from './trunk/trunk-listeners.ts';
import {
  closeFlow,
  createSipWebSocketServer,
  listen,
  publicTransport,
  type SipWebSocketServer,
} from './websocket-server.ts';

const TRANSACTION_ROTATION_MS = 6_000;
const PEER_PROBE_MS = 3_000;
const PEER_DRAIN_MS = 2_000;

export interface RunningGateway {
  readonly port: number;
  readonly instructionPort: number;
  /** Of the listeners for trunks. */
  readonly trunkPorts: Awaited<ReturnType<TrunkListeners['open']>> | undefined;
  /** Stops accepting, closes flows spread over the drain window, tells the functions, and ends. */
  drain(): Promise<void>;
}

/** Everything of a gateway that needs no port yet. */
interface Parts {
  readonly gatewayId: GatewayId;
  readonly telemetry: Telemetry;
  readonly invoke: Invoke;
  readonly reach: FunctionReach;
  readonly functions: ReadonlyMap<string, FunctionQueue>;
  readonly flows: FlowTable;
  readonly subscriptions: SubscriptionTable;
  readonly outbox: Outbox;
  readonly reports: ReportQueue;
  readonly notifyPath: NotifyPath;
  readonly forwardPath: ForwardPath;
  readonly requestPath: RequestPath;
  readonly guard: FlowGuard;
  readonly tenants: TenantLedger;
  readonly identities: IdentityKeeper;
  readonly signOuts: SignOuts;
  readonly signIn: SignInByToken;
  readonly lampStreams: LampStreams;
  readonly nowMs: () => number;
  readonly keys: InstructionKeys;
  /** None when no function routes calls. */
  readonly callParts: CallParts | undefined;
  readonly flowEvents: TrunkPorts['events'];
  readonly trunks: TrunkListeners | undefined;
  /** Base URL of the private port, once that listens. */
  address: string;
  draining: boolean;
}

/**
 * Starts a gateway and gives it when both ports listen.
 * @param advertisedHost where functions reach the instruction port
 * @param generation start of its id, which says what deployment it is of
 */
export async function startGateway(
  config: GatewayConfig,
  advertisedHost: string,
  generation = '',
): Promise<RunningGateway> {
  const parts = await assemble(config, generation);
  const intake = intakeOf(parts);
  const instructionPort = await listen(intake, config.INSTRUCTION_PORT, config.HOST);
  parts.address = `http://${advertisedHost}:${instructionPort}`;
  const lease = leaseOf(config, parts);
  const sip = sipServerOf(config, parts, lease);
  const metricLog = metricLogOf(config, parts, lease);
  const clocks = startClocks(parts, metricLog, protectionOf(config, parts, lease));
  const trunkPorts = await parts.trunks?.open();
  const port = await sip.listen();
  await lease.keep();
  parts.telemetry.log.info({ hop: 'start', port, instructionPort, trunkPorts, ready: lease.isHeld }, 'gateway listens');
  return {
    port,
    instructionPort,
    trunkPorts,
    async drain() {
      parts.draining = true;
      sip.stopAccepting();
      parts.trunks?.close();
      await lease.renew();
      await drainFlows({ ...parts, callPath: parts.callParts?.callPath }, config.DRAIN_SECONDS);
      for (const clock of clocks) clearInterval(clock);
      lease.stop();
      parts.keys.close();
      await parts.reports.drain();
      await parts.callParts?.reports.drain();
      await parts.callParts?.peers.drain(PEER_DRAIN_MS);
      metricLog.tell(parts.nowMs());
      await stop(intake);
      await sip.close();
    },
  };
}

async function assemble(config: GatewayConfig, generation: string): Promise<Parts> {
  const gatewayId = gatewayIdOf(generation + `${hostname()}-${randomBytes(6).toString('hex')}`.slice(-64));
  const telemetry = createTelemetry(config.LOG_LEVEL, gatewayId);
  const { log, counts } = telemetry;
  const nowMs = Date.now;
  const keys = await openInstructionKeys(config, { log, nowMs });
  const reach = new FunctionReach(nowMs);
  const invoke = reach.listen(createInvoke(config.LAMBDA_ENDPOINT));
  const flows = new FlowTable();
  const subscriptions = new SubscriptionTable();
  const outbox = new Outbox();
  const reports = new ReportQueue(gatewayId, config.FUNCTIONS.flowClosed, invoke, log, counts);
  const tenants = new TenantLedger({ log, counts, nowMs, chance: Math.random });
  const functions = functionQueues(config, invoke, telemetry, tenants);
  const notifySettings = {
    holdBackBytes: config.HOLD_BACK_BYTES,
    parkingMs: config.PARKING_SECONDS * 1000,
    maxParked: config.MAX_PARKED_SUBSCRIPTIONS,
    listWindowMs: config.LIST_WINDOW_MS,
  };
  const reportEnded = reports.subscriptionEnded.bind(reports);
  const notifyPath = new NotifyPath(notifySettings, { ...telemetry, subscriptions, outbox, nowMs, reportEnded });
  const gatewayHost = `${gatewayId.slice(-12)}.invalid`;
  const close = (flow: Flow, code: number, reason: string): void => closeFlow(flow, outbox, code, reason);
  const signOuts = new SignOuts();
  const identities = new IdentityKeeper({ notifyPath, reports, tenants, signOuts, closeFlow: close, log, nowMs });
  const forwardPath = new ForwardPath({ gatewayHost, flows, outbox, counts, log });
  const requestSettings = {
    gatewayId,
    gatewayHost,
    maxRequestsPerSecond: config.MAX_REQUESTS_PER_SECOND_PER_FLOW,
    maxSubscriptionsPerFlow: config.MAX_SUBSCRIPTIONS_PER_FLOW,
  };
  const inviteQueue = functions.get('INVITE');
  const flowEvents = {
    received: (flow: Flow, data: Buffer, isBinary: boolean) => requestPath.receive(flow, data, isBinary),
    drained: (flow: Flow) => notifyPath.resume(flow),
    closed: (flow: Flow) => {
      notifyPath.park(flow);
      forwardPath.flowClosed(flow);
      callParts?.callPath.flowClosed(flow);
      reports.flowClosed(flow);
      tenants.flowClosed(flow);
    },
  };
  const trunks = createTrunkListeners(config, { flows, telemetry, nowMs, events: flowEvents });
  const callParts =
    inviteQueue === undefined
      ? undefined
      : assembleCalls(config, {
          ...{ gatewayId, gatewayHost, transport: publicTransport(config), address: () => parts.address },
          ...{ flows, outbox, invoke, queue: inviteQueue, tenants, telemetry, nowMs, trunks, identities },
          secrets: keys.valid,
        });
  const isDraining = (): boolean => parts.draining;
  const requestPorts = {
    ...{ functions, subscriptions, notifyPath, forwardPath, outbox, tenants, telemetry, identities, nowMs, isDraining },
    callPath: callParts?.callPath,
    isEnding: (id: SubscriptionId) => reports.isEnding(id),
    carryOut: (instructions: readonly Instruction[], flow: Flow) => carryOutOfOutcome(instructions, flow, outcomePorts),
  };
  const requestPath = new RequestPath(requestSettings, requestPorts);
  const instructionPorts = {
    ...{ flows, subscriptions, notifyPath, requestPath, closeFlow: close },
    ...closersOf(() => closerPorts(parts)),
    takeCallInstruction: takerOf(callParts),
  };
  const outcomePorts = {
    ...{ forwardPath, reports },
    carryOut: (instruction: PromptInstruction) => void carryOut(instruction, instructionPorts),
  };
  const guardSettings = {
    ...{ pingSeconds: config.PING_SECONDS, stalledSeconds: config.STALLED_FLOW_SECONDS },
    ...{ strangerSeconds: config.STRANGER_SECONDS, maxFlows: config.MAX_FLOWS },
  };
  const guard = new FlowGuard(guardSettings, flows, telemetry);
  const signInSettings = { gatewayId, functionName: config.FUNCTIONS.signIn, deadlineMs: config.FUNCTION_DEADLINE_MS };
  const signIn = createSignIn(signInSettings, invoke, log);
  const lampStreams = new LampStreams({
    ...{ nowMs, maxMessagesPerSecond: config.MAX_REQUESTS_PER_SECOND_PER_FLOW, events: flowEvents },
    receive: (flow, data) => requestPath.receive(flow, data, false),
  });
  const tables = { flows, subscriptions, outbox, reports, notifyPath, forwardPath, requestPath, guard, tenants };
  const parts: Parts = {
    ...{ gatewayId, telemetry, invoke, reach, functions, ...tables, nowMs, identities, signOuts, signIn, lampStreams },
    ...{ keys, callParts, flowEvents, trunks, address: '', draining: false },
  };
  return parts;
}

function functionQueues(
  config: GatewayConfig,
  invoke: Invoke,
  telemetry: Telemetry,
  tenants: TenantLedger,
): ReadonlyMap<string, FunctionQueue> {
  const settings = {
    deadlineMs: config.FUNCTION_DEADLINE_MS,
    maxInFlight: config.MAX_INVOCATIONS_IN_FLIGHT,
    maxBatch: config.MAX_ENVELOPES_PER_INVOCATION,
    maxWaiting: config.MAX_REQUESTS_WAITING,
  };
  const takeQuotas: TakeQuotas = (domain, quotas) => tenants.takeQuotas(domain, quotas);
  const byName = new Map<string, FunctionQueue>();
  const byMethod = new Map<string, FunctionQueue>();
  for (const [method, name] of Object.entries(config.FUNCTIONS.methods)) {
    const ownSettings = { ...settings, awaitsPeers: method === 'MESSAGE' };
    const queue = byName.get(name) ?? new FunctionQueue(name, invoke, ownSettings, telemetry.counts, takeQuotas);
    byName.set(name, queue);
    byMethod.set(method, queue);
  }
  return byMethod;
}

function intakeOf(parts: Parts): Server {
  return createInstructionServer({
    ...parts,
    secrets: parts.keys.valid,
    closeFlow: (flow, code, reason) => closeFlow(flow, parts.outbox, code, reason),
    ...closersOf(() => closerPorts(parts)),
    takeCallInstruction: takerOf(parts.callParts),
  });
}

const closerPorts = (parts: Parts): TenantCloserPorts => ({
  ...parts,
  closeFlow: (flow, code, reason) => closeFlow(flow, parts.outbox, code, reason),
  endCallsOf: (flow) => parts.callParts?.callPath.endCallsOf(flow),
  reportEnded: (subscription) => parts.reports.subscriptionEnded(subscription, true),
});

const takerOf =
  (callParts: CallParts | undefined): IntakePorts['takeCallInstruction'] =>
  (instruction, sender) =>
    callParts?.callPath.takeInstruction(instruction, sender);

const loadOf = ({ flows, subscriptions, draining }: Parts) => ({
  flows: flows.size,
  subscriptions: subscriptions.size,
  draining,
});

function leaseOf(config: GatewayConfig, parts: Parts): LeaseKeeper {
  const { gatewayId, invoke, telemetry, nowMs, address } = parts;
  const settings = { gatewayId, functionName: config.FUNCTIONS.lease, leaseSeconds: config.LEASE_SECONDS, address };
  return new LeaseKeeper(settings, {
    ...{ invoke, log: telemetry.log, nowMs, load: () => loadOf(parts) },
    takeGateways: (count) => parts.tenants.takeGateways(count),
  });
}

function sipServerOf(config: GatewayConfig, parts: Parts, lease: LeaseKeeper): SipWebSocketServer {
  const { telemetry } = parts;
  registerGauges(telemetry.registry, gaugesOf(parts));
  registerTenantMetrics(telemetry.registry, parts.tenants);
  const readiness = () => ({
    ready: lease.isHeld && !parts.draining,
    detail: { leaseHeld: lease.isHeld, ...loadOf(parts) },
  });
  const panel = loadPanel(config.PANEL_DIR, config.API_URL);
  const publicMetrics = config.PUBLIC_METRICS === 'true';
  const panelConfig = () => ({
    iceServers: iceServersFor(config.ICE_SERVERS, parts.nowMs()),
    apiUrl: config.API_URL,
  });
  const reachesFunctions = () => parts.reach.isReachable;
  const { registry } = telemetry;
  const http = createHttpListener({ panel, registry, publicMetrics, readiness, reachesFunctions, panelConfig });
  return createSipWebSocketServer(config, readTlsFiles(config), http, {
    ...parts,
    events: parts.flowEvents,
  });
}

function metricLogOf(config: GatewayConfig, parts: Parts, lease: LeaseKeeper): MetricLog {
  const ports = {
    ...{ ...parts.telemetry, gauges: gaugesOf(parts), isLeaseHeld: () => lease.isHeld },
    write: (line: string) => void process.stdout.write(line),
  };
  return new MetricLog(config.METRICS_STAGE, ports, parts.nowMs());
}

function protectionOf(config: GatewayConfig, { flows, telemetry }: Parts, lease: LeaseKeeper): TaskProtection {
  const settings = { agentUri: config.ECS_AGENT_URI, protectedFlows: config.PROTECTED_FLOWS };
  const ports = { flows: () => flows.size, isSuperseded: () => lease.isSuperseded, log: telemetry.log };
  return new TaskProtection(settings, ports);
}

function startClocks(parts: Parts, metricLog: MetricLog, protection: TaskProtection): NodeJS.Timeout[] {
  const { notifyPath, guard, identities, lampStreams, requestPath, tenants, nowMs, callParts } = parts;
  const everySecond = (): void => {
    notifyPath.advance(nowMs());
    guard.advance(nowMs());
    identities.advance(nowMs());
    tenants.advance();
    lampStreams.advance(nowMs());
    metricLog.advance(nowMs());
    void protection.advance(nowMs());
  };
  return [
    setInterval(everySecond, 1_000),
    setInterval(() => requestPath.rotateTransactions(), TRANSACTION_ROTATION_MS),
    setInterval(() => callParts?.callPath.probePeers(), PEER_PROBE_MS),
  ];
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
