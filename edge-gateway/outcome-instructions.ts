/** Instructions that come with an outcome: for this gateway, after the answer. */
import type { ForwardInstruction, Instruction } from '#contract/instruction.ts';
import type { Flow } from './flow-table.ts';
import type { ForwardPath } from './forward-path.ts';
import type { PromptInstruction } from './instruction-intake.ts';
import type { ReportQueue } from './report-queue.ts';

export interface OutcomeInstructionsPorts {
  readonly forwardPath: ForwardPath;
  readonly reports: Pick<ReportQueue, 'messageDelivered'>;
  readonly carryOut: (instruction: PromptInstruction) => void;
}

/** Carries out instructions of an outcome for this flow; what it forwards are messages that waited for the flow's user. */
export function carryOutOfOutcome(
  instructions: readonly Instruction[],
  flow: Flow,
  { forwardPath, reports, carryOut }: OutcomeInstructionsPorts,
): void {
  for (const instruction of instructions) {
    if (instruction.kind === 'forward') void deliver(instruction, flow, forwardPath, reports);
    // An outcome has no way back for what is found.
    else if (instruction.kind !== 'inspect' && instruction.kind !== 'use' && instruction.kind !== 'connections')
      carryOut(instruction);
  }
}

/** A stored message is done with when it was taken, or refused for all devices; else it waits for the next REGISTER. */
async function deliver(
  instruction: ForwardInstruction,
  flow: Flow,
  forwardPath: ForwardPath,
  reports: OutcomeInstructionsPorts['reports'],
): Promise<void> {
  const result = await forwardPath.forward(instruction);
  if (result.kind !== 'answered' || flow.identity === undefined) return;
  const { status } = result.response;
  if (status < 300 || status >= 600) reports.messageDelivered(flow.identity, instruction.id);
}
