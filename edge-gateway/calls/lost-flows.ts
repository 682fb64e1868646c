/** Parties whose flow is gone: a call that rings ends there, one that stands waits for them to come back. */
import type { GatewayId } from '#contract/ids.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { addressOfAor } from '#core/identity.ts';
import type { Call } from './call.ts';
import { type CallContext, endBoth, locate } from './call-context.ts';
import { composeBye, type Leg } from './call-dialog.ts';
import type { DialogPath } from './dialog-path.ts';
import type { InvitePath } from './invite-path.ts';

export class LostFlows {
  readonly #context: CallContext;
  readonly #ports: { readonly invitePath: InvitePath; readonly dialogPath: DialogPath };

  constructor(context: CallContext, ports: { invitePath: InvitePath; dialogPath: DialogPath }) {
    this.#context = context;
    this.#ports = ports;
  }

  /** A flow of this or another gateway is gone. */
  flowLost(flowId: string): void {
    for (const call of this.#context.calls.ofFlow(flowId)) this.#lose(call, ({ flow }) => flow.flowId === flowId);
  }

  /** Another gateway is gone with all its flows. */
  gatewayLost(gatewayId: GatewayId): void {
    for (const call of [...this.#context.calls.values()]) this.#lose(call, ({ flow }) => flow.gatewayId === gatewayId);
  }

  #lose(call: Call, isLost: (party: Pick<Leg, 'flow'>) => boolean): void {
    this.#ports.dialogPath.flowLost(call, isLost);
    if (call.endedAtMs !== undefined) return;
    const { dialog, route } = call.facts;
    if (call.isConfirmed) {
      for (const leg of dialog.legs()) if (isLost(leg)) this.#await(call, leg);
      return;
    }
    if (isLost(dialog.caller)) {
      this.#ports.invitePath.take(call, { kind: 'callerLost' });
      return;
    }
    for (const [branch, target] of route.targets.entries())
      if (isLost(target)) this.#ports.invitePath.take(call, { kind: 'unreachable', branch });
  }

  #await(call: Call, leg: Leg): void {
    leg.isLost = true;
    // What is told again does not lengthen the grace.
    if (call.hasTimer(`lost ${leg.tag}`)) return;
    call.startTimer(`lost ${leg.tag}`, this.#context.settings.graceMs, () => void this.#giveUp(call, leg));
  }

  /** Its time is over: perhaps the device has come back and had nothing to say. */
  async #giveUp(call: Call, leg: Leg): Promise<void> {
    const { caller, winner } = call.facts.dialog;
    if (leg !== caller && leg !== winner) return;
    const found = await locate(this.#context, call, leg, this.#inquiry(call, leg));
    if (found === 'nowhere' && call.isConfirmed && leg.isLost) endBoth(this.#context, call, 'flowLost');
  }

  /** Nobody has sent a request: the question is put as the BYE that would come next. */
  #inquiry(call: Call, leg: Leg): RequestEnvelope {
    const { caller, winner, callId } = call.facts.dialog;
    const other = leg === caller ? (winner ?? caller) : caller;
    const address = addressOfAor(other.aor);
    return {
      ...{ gatewayId: this.#context.settings.gatewayId, flowId: other.flow.flowId, sourceAddress: '' },
      ...{ transport: this.#context.settings.transport, receivedAtMs: this.#context.nowMs(), toTag: leg.tag },
      ...(address === undefined ? {} : { identity: { ...address, role: 'user' as const } }),
      nonceReplayed: false,
      request: composeBye(callId, { from: { ...other }, to: leg }, 'SIP;text="where is it"'),
    };
  }
}
