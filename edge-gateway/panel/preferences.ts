/** What the browser keeps between visits: who signed in, the list, names; and in this tab only, what was written. Never a password. */

const PREFIX = 'lampfield.';

/** The last sign-in; the password is not part of it. */
export interface Account {
  readonly user: string;
  readonly domain: string;
}

export function loadAccount(): Account | undefined {
  const kept = load('account');
  if (!isRecord(kept) || typeof kept.user !== 'string' || typeof kept.domain !== 'string') return undefined;
  return { user: kept.user, domain: kept.domain };
}

export function saveAccount({ user, domain }: Account): void {
  save('account', { user, domain });
}

/** @returns the list as the user typed it; `undefined` when there is none yet */
export function loadWatchList(domain: string): string | undefined {
  const kept = load(`list.${domain}`);
  return typeof kept === 'string' ? kept : undefined;
}

export function saveWatchList(domain: string, text: string): void {
  save(`list.${domain}`, text);
}

/** Names that documents told, so that an idle board has names too. */
export function loadNames(domain: string): Map<string, string> {
  const kept = load(`names.${domain}`);
  if (!isRecord(kept)) return new Map();
  return new Map(Object.entries(kept).flatMap(([key, name]) => (typeof name === 'string' ? [[key, name]] : [])));
}

export function saveNames(domain: string, names: ReadonlyMap<string, string>): void {
  save(`names.${domain}`, Object.fromEntries(names));
}

/** What was written, as long as this tab is open and the user stays signed in. */
export function loadTalk(account: string): unknown {
  try {
    return JSON.parse(sessionStorage.getItem(`${PREFIX}talk.${account}`) ?? 'null');
  } catch {
    return undefined;
  }
}

/** @param talk `undefined` forgets it */
export function saveTalk(account: string, talk: unknown): void {
  try {
    if (talk === undefined) sessionStorage.removeItem(`${PREFIX}talk.${account}`);
    else sessionStorage.setItem(`${PREFIX}talk.${account}`, JSON.stringify(talk));
  } catch {
    // Nothing depends on it.
  }
}

/** The device id of this tab (RFC 5626): two tabs are two devices. */
export function tabInstanceId(): string {
  const key = `${PREFIX}instance`;
  try {
    const kept = sessionStorage.getItem(key) ?? crypto.randomUUID();
    sessionStorage.setItem(key, kept);
    return kept;
  } catch {
    return crypto.randomUUID();
  }
}

function load(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name) ?? 'null');
  } catch {
    return undefined;
  }
}

/** A browser that forbids storage only forgets. */
function save(name: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Nothing depends on it.
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
