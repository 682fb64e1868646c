/** Finds users by number, name or group: the API lists them by name only, so pages are read until enough fit. Pure. */
import type { Page } from '#gateway/panel/admin/json.ts';
import type { User } from '#gateway/panel/admin/shapes.ts';

/** Pages that one search reads before it shows what it has found, and where it would go on. */
const MOST_PAGES = 10;

export function isWanted({ user, displayName = '', groups = [] }: User, needle: string): boolean {
  const words = needle.toLowerCase().split(/\s+/);
  const hay = [user, displayName, ...groups].join(' ').toLowerCase();
  return words.every((word) => hay.includes(word));
}

/** @param load a page of all users */
export async function searchUsers(
  load: (cursor: string | undefined) => Promise<Page<User>>,
  needle: string,
  cursor: string | undefined,
  enough: number,
): Promise<Page<User>> {
  const found: User[] = [];
  let next = cursor;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await load(next);
    found.push(...page.items.filter((user) => isWanted(user, needle)));
    next = page.next;
    if (next === undefined || found.length >= enough) break;
  }
  return { items: found, next };
}
