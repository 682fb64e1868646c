import { describe, expect, test } from 'vitest';
import {
  COMMON_SETTINGS,
  fieldsOf,
  memberAt,
  QUOTA_SETTINGS,
  withMember,
  withValues,
  writableSettings,
} from '#gateway/panel/admin/settings.ts';

const SETTINGS = {
  displayName: 'Acme',
  policy: { minExpiresSeconds: 3, calls: { prefixes: [{ prefix: '0' }] } },
  watch: { default: 'listed', redact: { everyone: 'identities' } },
};

describe('settings of a tenant in a form', () => {
  test('members by their path', () => {
    expect(memberAt(SETTINGS, 'policy.minExpiresSeconds')).toBe(3);
    expect(memberAt(SETTINGS, 'policy.minExpiresSeconds.more')).toBeUndefined();
    expect(withMember(SETTINGS, 'quotas.users', 5)).toEqual({ ...SETTINGS, quotas: { users: 5 } });
    expect(withMember({ quotas: { users: 5 } }, 'quotas.users', undefined)).toEqual({});
  });

  test('a form that is sent back unchanged changes nothing, and what it does not show stays', () => {
    const which = [...COMMON_SETTINGS, ...QUOTA_SETTINGS];
    const values = Object.fromEntries(fieldsOf(SETTINGS, which).map(({ name, value }) => [name, value ?? '']));
    expect(withValues(SETTINGS, which, values)).toEqual(SETTINGS);
  });

  test('numbers are numbers, switches true or not set, and what is emptied is a default again', () => {
    const values = {
      displayName: '',
      'policy.minExpiresSeconds': '60',
      'policy.storeAndForward': 'true',
      'watch.default': '',
    };
    const changed = withValues(SETTINGS, COMMON_SETTINGS, values);
    expect(changed).toEqual({
      policy: { minExpiresSeconds: 60, storeAndForward: true, calls: SETTINGS.policy.calls },
      watch: { redact: SETTINGS.watch.redact },
    });
  });

  test('what only the API sets is not sent back', () => {
    expect(writableSettings({ ...SETTINGS, domain: 'acme.example', state: 'deleting' })).toEqual(SETTINGS);
  });
});
