/** Settings as they are given on a command line: `--set watch.default=nobody`, or a file of JSON. Pure. */
import { usageFailure } from './failure.ts';

export type Settings = { [name: string]: unknown };

const isSettings = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @returns the settings with these changed; `name=` alone takes a setting away */
export function withAssignments(settings: Settings, assignments: readonly string[]): Settings {
  return assignments.reduce(withAssignment, settings);
}

function withAssignment(settings: Settings, assignment: string): Settings {
  const [, place = '', text = ''] = /^([^=]+)=([\s\S]*)$/.exec(assignment) ?? [];
  const names = place.split('.');
  if (names.some((name) => !/^\w[\w-]*$/.test(name) || name === '__proto__'))
    throw usageFailure(
      `${JSON.stringify(assignment)} is no setting.`,
      'Write it as policy.maxMessageBytes=2000 or watch.default=nobody.',
    );
  return changed(settings, names, settingOf(text));
}

function changed(settings: Settings, [name = '', ...rest]: readonly string[], value: unknown): Settings {
  const { [name]: old, ...others } = settings;
  if (rest.length > 0) return { ...others, [name]: changed(isSettings(old) ? old : {}, rest, value) };
  return value === undefined ? others : { ...others, [name]: value };
}

/** JSON where it is JSON, a text otherwise; nothing for an empty text. */
function settingOf(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @throws {CliFailure} */
export function readSettings(text: string, name: string): Settings {
  try {
    const value: unknown = JSON.parse(text);
    if (isSettings(value)) return value;
  } catch {
    // The same answer: it is nothing that settings could be.
  }
  throw usageFailure(`${name} holds no JSON object.`);
}

/** The settings as lines `name.name  value`. */
export function flattened(settings: Settings, before = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => {
      if (isSettings(value)) return Object.entries(flattened(value, `${before}${name}.`));
      return [[`${before}${name}`, typeof value === 'string' ? value : JSON.stringify(value)]];
    }),
  );
}
