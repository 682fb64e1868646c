/** What people type to call or to transfer, as a SIP URI. Pure. */

export interface Colleague {
  readonly extension: string;
  readonly name: string;
}

export type Dialled =
  | { readonly uri: string /** User part, as people know it. */; readonly user: string }
  | { readonly problem: string };

/** Takes an extension, a number with its usual punctuation, a SIP address, or a colleague's name. */
export function readDialled(text: string, domain: string, colleagues: readonly Colleague[]): Dialled {
  const typed = text.trim();
  if (typed === '') return { problem: 'Type an extension, a number or a name first.' };
  const address = /^(?:sips?:)?([^\s@<>";?]+)@([a-z0-9][a-z0-9.-]*)$/i.exec(typed);
  if (address !== null) return dialled(address[1] ?? '', address[2] ?? domain);
  const named = byName(typed, colleagues);
  if (named.length > 1)
    return { problem: `Several colleagues are called so: ${named.map(({ name }) => name).join(', ')}.` };
  if (named[0] !== undefined) return dialled(named[0].extension, domain);
  const user = /^\+?[\d\s()./-]+$/.test(typed) ? typed.replace(/[\s()./-]/g, '') : typed;
  if (!/^[\p{L}\p{N}._+*#~-]{1,64}$/u.test(user))
    return { problem: `“${typed}” is no extension, number or colleague.` };
  return dialled(user, domain);
}

/** URI of a user of this company. */
export function userUri(user: string, domain: string): string {
  return `sip:${encodeURIComponent(user).replace(/%2B/g, '+')}@${domain}`;
}

function dialled(user: string, domain: string): Dialled {
  return { uri: userUri(user, domain.toLowerCase()), user };
}

/** Whoever is called exactly so; else whose name has a word that begins so. An extension goes before every name. */
function byName(typed: string, colleagues: readonly Colleague[]): Colleague[] {
  if (colleagues.some(({ extension }) => extension === typed) || !/\p{L}/u.test(typed)) return [];
  const wanted = typed.toLowerCase();
  const exact = colleagues.filter(({ name }) => name.toLowerCase() === wanted);
  if (exact.length > 0) return exact;
  return colleagues.filter(({ name }) => ` ${name.toLowerCase()}`.includes(` ${wanted}`));
}
