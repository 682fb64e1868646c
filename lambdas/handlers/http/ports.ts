/** What the HTTP API needs from outside; handlers/api makes it once per function instance. */
import type { VaultReader } from '#core/sealed-text.ts';
import type { OperatorDeskPorts } from '#roles/operator-desk.ts';

export interface ApiPorts extends OperatorDeskPorts {
  /** How fast the keys of a tenant may ask: counts one request, and tells what is left. */
  readonly takeRequest: (tenant: string, nowMs: number) => Promise<Readonly<Record<string, string>>>;
  /** Seals what is secret in the table, and opens it. */
  readonly vault: VaultReader;
  /** Bytes from a cryptographic source. */
  readonly random: (bytes: number) => Buffer;
}
