/** Settings of a tenant as a form shows them: members by their path. Pure. */
import type { Field, Values } from '#gateway/panel/admin/form.ts';
import { isRecord } from '#gateway/panel/admin/json.ts';

export type Settings = Readonly<Record<string, unknown>>;

/** What PUT takes of what GET gives. */
const WRITABLE = ['displayName', 'policy', 'signIn', 'watch', 'quotas'] as const;

export const writableSettings = (settings: Settings): Settings =>
  Object.fromEntries(WRITABLE.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])));

/** What stands at `policy.calls.limits`. */
export function memberAt(settings: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (isRecord(value) ? value[name] : undefined), settings);
}

/** The same settings with one member set; undefined takes it away, and with it what it leaves empty. */
export function withMember(settings: Settings, path: string, value: unknown): Settings {
  const [name = '', ...rest] = path.split('.');
  const below = settings[name];
  const set = rest.length === 0 ? value : withMember(isRecord(below) ? below : {}, rest.join('.'), value);
  const isGone = set === undefined || (rest.length > 0 && isRecord(set) && Object.keys(set).length === 0);
  const { [name]: _before, ...others } = settings;
  return isGone ? others : { ...others, [name]: set };
}

type Setting = Omit<Field, 'value'>;

const seconds = (name: string, label: string, fallback: number): Setting => ({
  ...{ name, label, kind: 'number', placeholder: `${fallback}, unless set` },
});

export const COMMON_SETTINGS: readonly Setting[] = [
  { name: 'displayName', label: 'Name for people' },
  {
    name: 'watch.default',
    label: 'Who may watch whom',
    choices: [
      ['', 'Everyone of the company, as nothing else is set'],
      ['everyone', 'Everyone of the company'],
      ['sameGroup', 'Who is in the same group'],
      ['listed', 'Who a user lists'],
      ['nobody', 'Nobody'],
    ],
  },
  seconds('policy.minExpiresSeconds', 'Least time of subscriptions and registrations (s)', 60),
  seconds('policy.defaultExpiresSeconds', 'Time when none is asked for (s)', 3_600),
  seconds('policy.maxExpiresSeconds', 'Longest time (s)', 7_200),
  { name: 'policy.storeAndForward', label: 'Messages for users who are away wait for them', kind: 'checkbox' },
];

/** What only operators may set. */
export const QUOTA_SETTINGS: readonly Setting[] = [
  {
    name: 'quotas.users',
    label: 'Most users',
    kind: 'number',
    hint: 'What is left empty has the default of the deployment.',
  },
  { name: 'quotas.flows', label: 'Most connections at once', kind: 'number' },
  { name: 'quotas.subscriptions', label: 'Most subscriptions at once', kind: 'number' },
  { name: 'quotas.calls', label: 'Most calls at once', kind: 'number' },
];

export const fieldsOf = (settings: Settings, which: readonly Setting[]): Field[] =>
  which.map((setting) => {
    const value = memberAt(settings, setting.name);
    return { ...setting, value: value === undefined ? '' : String(value) };
  });

/** @returns the settings with what the form says; what it leaves empty is no longer set */
export function withValues(settings: Settings, which: readonly Setting[], values: Values): Settings {
  return which.reduce((all, { name, kind }) => {
    const text = values[name] ?? '';
    if (kind === 'checkbox') return withMember(all, name, text === 'true' ? true : undefined);
    if (text === '') return withMember(all, name, undefined);
    return withMember(all, name, kind === 'number' ? Number(text) : text);
  }, settings);
}
