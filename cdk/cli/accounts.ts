/** A user or publisher as it is, and the condition under which it may be replaced. */
import { type ApiClient, isRefusedWith } from './api-client.ts';
import type { Settings } from './settings-text.ts';

export interface KnownAccount {
  /** What PUT takes of it. */
  readonly settings: Settings;
  readonly etag: string | undefined;
}

/** @returns undefined when there is none. @throws {CliFailure} */
export async function accountAt(api: ApiClient, where: string): Promise<KnownAccount | undefined> {
  try {
    const { body, etag } = await api.request<Settings>('GET', where);
    const { user: _user, role: _role, ...settings } = body;
    return { settings, etag };
  } catch (error) {
    if (isRefusedWith(error, 404)) return undefined;
    throw error;
  }
}

/** Nobody's change in between is lost: 412. */
export const conditionOf = (before: KnownAccount | undefined) =>
  before === undefined ? { ifNoneMatch: '*' } : { ...(before.etag !== undefined && { ifMatch: before.etag }) };
