/** A tenant's settings: what the command line reads of them, and how it changes some. */
import { type ApiClient, path } from './api-client.ts';
import type { Settings } from './settings-text.ts';

/** What PUT takes of what GET gives. */
const WRITABLE = ['displayName', 'policy', 'signIn', 'watch', 'quotas'] as const;

/**
 * What is not changed stays; what somebody else changed meanwhile is not lost (If-Match).
 * @returns the tenant as it is now
 */
export async function changeTenant(
  api: ApiClient,
  tenant: string,
  revise: (settings: Settings) => Settings,
): Promise<Settings> {
  const where = path`/tenants/${tenant}`;
  const { body: before, etag } = await api.request<Settings>('GET', where);
  const writable = Object.fromEntries(WRITABLE.flatMap((name) => (name in before ? [[name, before[name]]] : [])));
  const body = revise(writable);
  return (await api.request<Settings>('PUT', where, { body, ...(etag !== undefined && { ifMatch: etag }) })).body;
}
