/**
 * How a subscription sees: its rendering profile, and what the watch policy lets it see, as one short text that stands in
 * the watcher item. Pure.
 */
import { WATCH_ACCESSES, type WatchAccess } from './watch-policy.ts';

const ACCESS = /(?:^| )access=(\w+)$/;

/**
 * @param profile encoded rendering profile (core/rendering-profile)
 * @returns '' for the default profile with full access, as most have it
 */
export function withAccess(profile: string, access: WatchAccess): string {
  if (access === 'full') return profile;
  return profile === '' ? `access=${access}` : `${profile} access=${access}`;
}

/** The encoded rendering profile alone. */
export const profileOf = (rendering: string): string => rendering.replace(ACCESS, '');

/** What is not known (a later release wrote it) shows nothing. */
export function accessOf(rendering: string): WatchAccess {
  const [, access] = ACCESS.exec(rendering) ?? [];
  if (access === undefined) return 'full';
  return WATCH_ACCESSES.find((known) => known === access) ?? 'polite';
}
