/** Resource lists (RFC 4826) and their entries. Pure. */
import { SipRejection } from './error.ts';
import { escapeXml, parseXml, type XmlElement } from './xml.ts';

export const RESOURCE_LISTS_TYPE = 'application/resource-lists+xml';

/** Bounds of one list with everything in it; more is refused. `nameBytes`: URIs and names, escaped. */
export const LIST_LIMITS = { members: 200, nameBytes: 20 * 1024, depth: 5, bodyBytes: 64 * 1024 } as const;

/** One line of a list: a presentity, or another list. */
export interface ListEntry {
  readonly uri: string;
  readonly displayName?: string;
}

const NAMESPACE = 'urn:ietf:params:xml:ns:resource-lists';

/**
 * Entries of a resource-lists document, those of lists in lists in their place. References to other documents are
 * left out: there is no XCAP server to fetch them from.
 * @throws {SipRejection} 400 when it is no such document or has no entry, 413 when it has too many
 */
export function parseResourceLists(body: string): ListEntry[] {
  const root = parseXml(body);
  if (root.name !== 'resource-lists' || root.namespace !== NAMESPACE) {
    throw new SipRejection(400, 'Not a resource-lists Document');
  }
  const entries = entriesIn(root);
  if (entries.length === 0) throw new SipRejection(400, 'Empty Resource List');
  requireBoundedList(entries);
  return entries;
}

/** @throws {SipRejection} 413 when a list is longer than {@link LIST_LIMITS} allows */
export function requireBoundedList(entries: readonly ListEntry[]): void {
  if (!isBoundedList(entries)) throw new SipRejection(413, 'Resource List Too Large');
}

/** False for a list that is longer than {@link LIST_LIMITS} allows. */
export function isBoundedList(entries: readonly ListEntry[]): boolean {
  const bytes = entries.reduce((sum, { uri, displayName = '' }) => sum + bytesInXml(uri) + bytesInXml(displayName), 0);
  return entries.length <= LIST_LIMITS.members && bytes <= LIST_LIMITS.nameBytes;
}

const bytesInXml = (text: string): number => Buffer.byteLength(escapeXml(text));

function entriesIn(element: XmlElement): ListEntry[] {
  return element.children.flatMap((child): ListEntry[] => {
    if (child.namespace !== NAMESPACE) return [];
    if (child.name === 'list') return entriesIn(child);
    return child.name === 'entry' ? [entryOf(child)] : [];
  });
}

function entryOf(element: XmlElement): ListEntry {
  const uri = element.attributes.get('uri')?.trim();
  if (!uri) throw new SipRejection(400, 'Entry Without URI');
  const displayName = element.children
    .find(({ name, namespace }) => name === 'display-name' && namespace === NAMESPACE)
    ?.text.trim();
  return displayName ? { uri, displayName } : { uri };
}
