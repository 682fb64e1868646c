/** What the HTTP API needs from outside; handlers/api makes it once per function instance. */
import type { OperatorDeskPorts } from '#roles/operator-desk.ts';

export interface ApiPorts extends OperatorDeskPorts {
  /** Bytes from a cryptographic source. */
  readonly random: (bytes: number) => Buffer;
}
