/** Header field names: the known ones, their compact forms, and a lookup that cuts no string out of the message. */

/** Known names in canonical spelling; an id is the place in this list, 0 stands for any other name. */
const NAMES: readonly string[] = `
  Via From To Call-ID CSeq Max-Forwards Contact Content-Length Content-Type Event Expires Subscription-State Require
  Supported Accept Allow Allow-Events User-Agent Authorization WWW-Authenticate Proxy-Authorization Proxy-Authenticate
  Authentication-Info SIP-ETag SIP-If-Match Suppress-If-Match Min-Expires Retry-After Route Record-Route Proxy-Require
  Unsupported Content-Encoding Content-Disposition Content-Language MIME-Version Accept-Encoding Accept-Language
  Accept-Contact Reject-Contact Request-Disposition Date Timestamp Server Warning Reason Subject Priority Organization
  Path Service-Route Replaces Join Refer-To Referred-By Refer-Sub Target-Dialog Session-Expires Min-SE RAck RSeq
  In-Reply-To History-Info Diversion Privacy P-Asserted-Identity P-Preferred-Identity Alert-Info Call-Info Error-Info
  Identity Identity-Info Session-ID`.split(/\s+/);

/** Compact forms (RFC 3261, 3515, 3841, 3892, 4028, 4474, 6665). */
const COMPACT: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

// Property keys are internalized: such a name equals a literal by its address, without a look at its letters.
const LOWER: readonly string[] = Object.keys(Object.fromEntries(NAMES.map((name) => [name.toLowerCase(), 0])));

const MAX_NAME_LENGTH = 31;
const slotOf = (length: number, first: number, last: number): number =>
  (length << 10) | ((first & 31) << 5) | (last & 31);

// Length, first and last letter tell all known names apart; the candidate is then compared in full.
const SLOTS = new Uint8Array((MAX_NAME_LENGTH + 1) << 10);
for (const [id, lower] of LOWER.entries()) {
  if (id > 0) SLOTS[slotOf(lower.length, lower.charCodeAt(0), lower.charCodeAt(lower.length - 1))] = id;
}
const COMPACT_IDS = new Uint8Array(128);
for (const [letter, name] of Object.entries(COMPACT)) {
  COMPACT_IDS[letter.charCodeAt(0)] = NAMES.indexOf(name);
  COMPACT_IDS[letter.toUpperCase().charCodeAt(0)] = NAMES.indexOf(name);
}

/** @returns the id of the name at `[start, end)` of `text`, any case, long or compact; 0 if it is not a known one */
export function headerIdAt(text: string, start: number, end: number): number {
  const length = end - start;
  const first = text.charCodeAt(start);
  if (length === 1) return first < 128 ? (COMPACT_IDS[first] ?? 0) : 0;
  if (length > MAX_NAME_LENGTH) return 0;
  const id = SLOTS[slotOf(length, first, text.charCodeAt(end - 1))] ?? 0;
  if (id === 0 || text.startsWith(NAMES[id] ?? '', start)) return id;
  return isSameName(text, start, LOWER[id] ?? '') ? id : 0;
}

/** Known names hold only letters and `-`, and of those only letters have a case. */
function isSameName(text: string, start: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    const code = text.charCodeAt(start + i);
    const wanted = lower.charCodeAt(i);
    if (code !== wanted && (wanted === 45 || (code | 32) !== wanted)) return false;
  }
  return true;
}

/** @returns the id of a lower-case long name; 0 if it is not a known one */
export function headerIdOf(lowerName: string): number {
  const length = lowerName.length;
  if (length > MAX_NAME_LENGTH) return 0;
  const id = SLOTS[slotOf(length, lowerName.charCodeAt(0), lowerName.charCodeAt(length - 1))] ?? 0;
  return LOWER[id] === lowerName ? id : 0;
}

/** @returns the canonical spelling of a known name */
export function headerNameOf(id: number): string {
  return NAMES[id] ?? '';
}

/** @returns the lower-case long form of a name in any case, compact forms included */
export function longLowerName(name: string): string {
  const id = headerIdAt(name, 0, name.length);
  return id === 0 ? name.toLowerCase() : (LOWER[id] ?? '');
}
