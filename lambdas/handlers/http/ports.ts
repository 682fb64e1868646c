/** What the HTTP API needs from outside; handlers/api makes it once per function instance. */
import type { VaultReader } from '#core/sealed-text.ts';
import type { OperatorDeskPorts } from '#roles/operator-desk.ts';
import type { Tenant } from '#table/tenant-item.ts';

export interface ApiPorts extends OperatorDeskPorts {
  /** How fast the keys of a tenant may ask: counts one request, and tells what is left. */
  readonly takeRequest: (tenant: string, nowMs: number) => Promise<Readonly<Record<string, string>>>;
  /**
   * How fast a tenant's lamps may change, whoever says so: counts the words of one request.
   * @throws {Problem} 429
   */
  readonly takeChanges: (tenant: Pick<Tenant, 'domain' | 'quotas'>, count: number, nowMs: number) => void;
  /** Seals what is secret in the table, and opens it. */
  readonly vault: VaultReader;
  /** Why a webhook must not be sent to this address; undefined when it may be. */
  readonly refusedTarget: (url: URL) => string | undefined;
  /** Bytes from a cryptographic source. */
  readonly random: (bytes: number) => Buffer;
}
