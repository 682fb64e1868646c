/** Physical names, the same in every stack, so that no stack must import another one's just to know what it is called. */
import type { FunctionName } from '../system.ts';
import type { Settings } from './settings.ts';

/** Start of every physical name and of the stacks' ids, such as `lampfield-dev`. */
export function deploymentName({ prefix, stage }: Settings): string {
  return `${prefix}-${stage}`;
}

/** Name of a function, such as `lampfield-dev-register`; the gateway invokes it by this name. */
export function functionNameOf(settings: Settings, name: FunctionName): string {
  return `${deploymentName(settings)}-${name}`;
}
