/** Physical names, the same in every stack, so that no stack must import another one's just to know what it is called. */
import type { FunctionName, SecretName } from '../system.ts';
import type { Settings } from './settings.ts';

/** Start of every physical name and of the stacks' ids, such as `lampfield-dev`. */
export function deploymentName({ prefix, stage }: Settings): string {
  return `${prefix}-${stage}`;
}

/** Name of a function, such as `lampfield-dev-register`; the gateway invokes it by this name. */
export function functionNameOf(settings: Settings, name: FunctionName): string {
  return `${deploymentName(settings)}-${name}`;
}

/** Name of the table and start of the names of the secrets, where they have names: see {@link hasNames}. */
export const tableNameOf = (settings: Settings): string => deploymentName(settings);
export const secretNameOf = (settings: Settings, name: SecretName): string => `${deploymentName(settings)}/${name}`;

/** What outlives its stack, or stands in several regions, is found by its name; what goes with its stack has none. */
export const hasNames = ({ keepData, regions }: Settings): boolean => keepData || regions.length > 1;

/** `flow-closed` becomes `FlowClosed`. */
export function constructIdOf(name: FunctionName): string {
  return name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

export const roleIdOf = (name: FunctionName): string => `${constructIdOf(name)}Role`;
