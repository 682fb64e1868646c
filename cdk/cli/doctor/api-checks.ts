/** The HTTP API: the way there, and whether the key is good. */
import type { ApiClient } from '../api-client.ts';
import type { Check } from './checks.ts';
import { lastNetworkCheck, networkChecks } from './network-checks.ts';

export function apiChecks(api: ApiClient, nowMs: number): Check[] {
  const { url } = api.access;
  return [
    ...networkChecks('API', url, nowMs),
    {
      ...{ name: 'API description', needs: [lastNetworkCheck('API', url)] },
      advice:
        '5xx: the function api does not run; look at its log. Anything else: is this the address of the API, with /v1?',
      run: async () => {
        const { info } = await api.get<{ info?: { title?: string; version?: string } }>('/openapi.json');
        if (info === undefined) throw new Error('something answers there, but it is not the API');
        return { detail: `${info.title ?? 'API'} ${info.version ?? ''}`.trim() };
      },
    },
    {
      ...{ name: 'API key', needs: ['API description'] },
      advice: '401: the key is wrong, was revoked or has expired. 5xx: the function api does not reach the table.',
      run: async () => {
        const { items } = await api.get<{ items: readonly unknown[] }>('/tenants', { limit: 1 });
        return { detail: items.length === 0 ? 'no tenant yet' : 'the table answers' };
      },
    },
  ];
}
