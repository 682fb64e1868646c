/** The key that one is signed in with: kept in this tab, and only until it is closed or its user signs out. */
import type { Api } from '#gateway/panel/admin/api.ts';
import { OWN_KEY } from '#gateway/panel/admin/shapes.ts';

const ENTRY = 'lampfield.console.key';

/** What the key may do, as far as the console shows or hides by it. */
export interface Account {
  readonly prefix: string;
  /** Undefined: an operator, who sees all tenants. */
  readonly tenant: string | undefined;
  readonly mayChange: boolean;
}

export function loadKey(): string | undefined {
  try {
    return sessionStorage.getItem(ENTRY) ?? undefined;
  } catch {
    return undefined;
  }
}

/** @param key `undefined` forgets it; a browser that forbids storage asks for it again after a reload */
export function saveKey(key: string | undefined): void {
  try {
    if (key === undefined) sessionStorage.removeItem(ENTRY);
    else sessionStorage.setItem(ENTRY, key);
  } catch {
    // Said above.
  }
}

/** Whose key it is. @throws {Refusal} */
export async function openAccount(api: Api): Promise<Account> {
  const { body } = await api.get('/key', OWN_KEY);
  return { prefix: body.prefix, tenant: body.tenant, mayChange: body.permission === 'admin' };
}
