/** What an operator prepares for a bench over the HTTP API. */

const HEADERS = { authorization: 'Bearer local-admin-key', 'content-type': 'application/json' };

async function ask(method: string, url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, { method, headers: HEADERS, ...(body && { body: JSON.stringify(body) }) });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** @returns the text of a new key of a tenant */
export async function createKey(apiUrl: string, tenant: string, permission: 'ingest' | 'read'): Promise<string> {
  const made = await ask('POST', `${apiUrl}/tenants/${tenant}/keys`, { name: 'bench', permission });
  return (made as { key: string }).key;
}

/** Lets the keys of a tenant ask as fast as they can; everything else of it stays. */
export async function unlimitApi(apiUrl: string, tenant: string): Promise<void> {
  const url = `${apiUrl}/tenants/${tenant}`;
  const { displayName, policy, signIn, watch, quotas } = (await ask('GET', url)) as Record<string, object>;
  const given = { ...quotas, apiRequestsPerSecond: 100_000 };
  await ask('PUT', url, { displayName, policy, signIn, watch, quotas: given });
}
