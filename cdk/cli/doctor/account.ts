/** Who makes the doctor's way: a user that is named, or one of a temporary tenant. */
import { randomBytes } from 'node:crypto';
import type { Account } from '#runtime/sip-probe.ts';
import { type ApiClient, path } from '../api-client.ts';
import type { Check } from './checks.ts';

export interface DoctorAccount {
  readonly checks: readonly Check[];
  /** The last of them, which the rest needs. */
  readonly check: string;
  account(): Account;
  /** Removes what was made. @returns its check, when there is something to remove */
  readonly afterwards: readonly Check[];
}

export function namedAccount(account: Account): DoctorAccount {
  const check: Check = {
    ...{ name: 'account', advice: '' },
    run: () => Promise.resolve({ detail: `${account.user}@${account.domain}` }),
  };
  return { checks: [check], check: check.name, account: () => account, afterwards: [] };
}

/** A tenant for these minutes, by an operator's key; its name cannot be anybody's (RFC 2606). */
export function temporaryAccount(api: ApiClient, needs: string): DoctorAccount {
  const domain = `doctor-${randomBytes(6).toString('hex')}.invalid`;
  const account: Account = { user: 'doctor', domain, password: randomBytes(18).toString('base64url') };
  let hasBegun = false;
  const make: Check = {
    ...{ name: 'account', needs: [needs] },
    advice: 'A temporary tenant needs the key of an operator. With another key name a user: --user 1001@acme.example.',
    run: async () => {
      hasBegun = true;
      await api.request('PUT', path`/tenants/${domain}`, { body: { displayName: 'lampfield doctor' } });
      const body = { role: 'user', displayName: 'Doctor', password: account.password };
      await api.request('PUT', path`/tenants/${domain}/users/${account.user}`, { body });
      return { detail: `temporary tenant ${domain}` };
    },
  };
  const remove: Check = {
    ...{ name: 'removing the tenant', needs: [needs] },
    advice: `Remove it by hand: lampfield tenant delete ${domain} --yes`,
    run: async () => {
      if (hasBegun) await api.request('DELETE', path`/tenants/${domain}`);
      return { detail: domain };
    },
  };
  return { checks: [make], check: make.name, account: () => account, afterwards: [remove] };
}
