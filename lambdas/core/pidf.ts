/** application/pidf+xml (RFC 3863, with RFC 4479 person and RFC 4480 activities) <-> presence. Pure. */
import { createHash } from 'node:crypto';
import { SipRejection } from './error.ts';
import type { Activity, BasicStatus, Extension, Presence, PresenceTuple } from './presence.ts';
import { escapeXml, parseXml, type XmlElement } from './xml.ts';

export const PIDF_TYPE = 'application/pidf+xml';
/** Name of the same document before it became RFC 3863; some clients still ask for it. */
export const CPIM_PIDF_TYPE = 'application/cpim-pidf+xml';

const NAMESPACE = 'urn:ietf:params:xml:ns:pidf';
const NAMESPACES: ReadonlySet<string> = new Set([NAMESPACE, 'urn:ietf:params:xml:ns:cpim-pidf']);
const DATA_MODEL = 'urn:ietf:params:xml:ns:pidf:data-model';
const RPID = 'urn:ietf:params:xml:ns:pidf:rpid';

/** Bounds of a document that is published. */
export const PIDF_LIMITS = {
  tuples: 16,
  notes: 16,
  noteLength: 1_024,
  idLength: 128,
  activities: 16,
  /** Elements of other namespaces, and how deep they nest. */
  extensions: 64,
  extensionDepth: 4,
} as const;

/**
 * Reads a published document; elements of other namespaces are kept as they are.
 * @throws {SipRejection} 400 with what is wrong; 413 for more than the limits
 */
export function parsePidf(text: string): Presence {
  const root = parseXml(text);
  if (root.name !== 'presence' || !NAMESPACES.has(root.namespace)) throw bad('Not a PIDF Document');
  const own = root.namespace;
  const tuples = childrenOf(root, own, 'tuple');
  const persons = childrenOf(root, DATA_MODEL, 'person');
  const isPerson = (each: XmlElement): boolean => persons.includes(each);
  const holders = [root, ...tuples, ...tuples.flatMap((tuple) => childrenOf(tuple, own, 'status')), ...persons];
  const presence: Presence = {
    tuples: tuples.map((tuple) => tupleOf(tuple, own)),
    notes: notesOf(root, own),
    activities: holders.flatMap(activitiesOf),
    personNotes: [...persons, ...holders.flatMap((each) => each.children.filter(isActivities))].flatMap(allNotesOf),
    personExtensions: persons.flatMap((person) => extensionsOf(person, DATA_MODEL)),
    extensions: extensionsOf(root, own, (each) => !isPerson(each)),
  };
  requireBounded(presence);
  return presence;
}

/**
 * Renders a document.
 * @param entity AOR of the presentity
 */
export function renderPidf(entity: string, presence: Presence): [whole: string] {
  const namespaces = `xmlns="${NAMESPACE}" xmlns:dm="${DATA_MODEL}" xmlns:rpid="${RPID}"`;
  const inside = [
    ...presence.tuples.map(renderTuple),
    ...presence.notes.map((note) => `${renderNote('note', note)}\n`),
    renderPerson(presence),
    ...presence.extensions.map((each) => `${renderExtension(each)}\n`),
  ];
  const start = `<?xml version="1.0" encoding="UTF-8"?>\n<presence ${namespaces} entity="${escapeXml(entity)}">\n`;
  return [`${start}${inside.join('')}</presence>\n`];
}

function tupleOf(element: XmlElement, own: string): PresenceTuple {
  const id = element.attributes.get('id')?.trim();
  if (!id) throw bad('Tuple Without id');
  const [status, ...more] = childrenOf(element, own, 'status');
  if (status === undefined || more.length > 0) throw bad('Tuple Without One Status');
  const basic = basicOf(childrenOf(status, own, 'basic')[0]);
  const contact = contactOf(childrenOf(element, own, 'contact')[0]);
  const timestamp = childrenOf(element, own, 'timestamp')[0]?.text.trim();
  return {
    id: xmlIdOf(id),
    ...(basic && { basic }),
    ...(contact && { contact }),
    notes: notesOf(element, own),
    ...(timestamp && isDateTime(timestamp) && { timestamp }),
    statusExtensions: extensionsOf(status, own),
    extensions: extensionsOf(element, own),
  };
}

function basicOf(element: XmlElement | undefined): BasicStatus | undefined {
  const basic = element?.text.trim();
  if (basic === undefined || basic === 'open' || basic === 'closed') return basic;
  throw bad('Unknown Basic Status');
}

function contactOf(element: XmlElement | undefined): PresenceTuple['contact'] {
  const uri = element?.text.trim();
  if (element === undefined || !uri) return undefined;
  const priority = element.attributes.get('priority')?.trim();
  // RFC 3863 section 4.1.5: a number from 0 to 1 with three digits at most.
  return priority !== undefined && /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(priority) ? { uri, priority } : { uri };
}

function notesOf(element: XmlElement, namespace: string): string[] {
  return textsOf(childrenOf(element, namespace, 'note'));
}

const allNotesOf = (element: XmlElement): string[] => textsOf(element.children.filter(({ name }) => name === 'note'));

const textsOf = (notes: readonly XmlElement[]): string[] =>
  notes.map(({ text }) => text.trim()).filter((text) => text !== '');

// Drafts of RFC 4480 had activities in other places and namespaces than the RFC; clients still send them.
const isActivities = ({ name, namespace }: XmlElement): boolean => name === 'activities' && isOfRpid(namespace);
const isOfRpid = (namespace: string): boolean => namespace === RPID || namespace.startsWith(`${RPID}:`);

function activitiesOf(holder: XmlElement): Activity[] {
  return holder.children
    .filter(isActivities)
    .flatMap(({ children }) => children)
    .filter((each) => each.name !== 'note' && isRepeatable(each))
    .map((element): Activity => {
      const text = element.text.trim();
      if (!isOfRpid(element.namespace)) return { namespace: element.namespace, name: element.name, text };
      const isDraft = element.name === 'activity' && isXmlName(text);
      return isDraft ? { namespace: '', name: text, text: '' } : { namespace: '', name: element.name, text };
    });
}

/** Elements of namespaces that are neither the holder's own nor none at all. */
function extensionsOf(holder: XmlElement, own: string, isWanted: (each: XmlElement) => boolean = () => true) {
  return holder.children
    .filter((each) => isRepeatable(each) && each.namespace !== own && !isActivities(each) && isWanted(each))
    .map((each) => extensionOf(each, 1));
}

function extensionOf(element: XmlElement, depth: number): Extension {
  if (depth > PIDF_LIMITS.extensionDepth) throw tooLarge();
  return {
    namespace: element.namespace,
    name: element.name,
    attributes: Object.fromEntries([...element.attributes].filter(([name]) => isXmlName(name))),
    text: element.children.length > 0 ? element.text.trim() : element.text,
    children: element.children.filter(isRepeatable).map((each) => extensionOf(each, depth + 1)),
  };
}

/** False for an element whose name or namespace could make our own document unreadable. */
function isRepeatable({ name, namespace }: XmlElement): boolean {
  return (
    isXmlName(name) && /^[a-z][a-z0-9+.-]*:[\w!$&'()*+,./:;=?@~%#-]+$/i.test(namespace) && !RESERVED.has(namespace)
  );
}

const RESERVED: ReadonlySet<string> = new Set([
  'http://www.w3.org/XML/1998/namespace',
  'http://www.w3.org/2000/xmlns/',
]);

function requireBounded({ tuples, notes, personNotes, activities, personExtensions, extensions }: Presence): void {
  const allNotes = [...notes, ...personNotes, ...tuples.flatMap((tuple) => tuple.notes)];
  const ofTuples = tuples.flatMap((tuple) => [...tuple.statusExtensions, ...tuple.extensions]);
  const isWithin =
    tuples.length <= PIDF_LIMITS.tuples &&
    activities.length <= PIDF_LIMITS.activities &&
    allNotes.length <= PIDF_LIMITS.notes &&
    allNotes.every((note) => note.length <= PIDF_LIMITS.noteLength) &&
    countOf([...personExtensions, ...extensions, ...ofTuples]) <= PIDF_LIMITS.extensions;
  if (!isWithin) throw tooLarge();
}

const countOf = (extensions: readonly Extension[]): number =>
  extensions.reduce((count, { children }) => count + 1 + countOf(children), 0);

// Element order is the schema's: status, other namespaces, contact, notes, timestamp.
function renderTuple(tuple: PresenceTuple): string {
  const { id, basic, contact, notes, timestamp, statusExtensions, extensions } = tuple;
  const inside = [
    `<status>${basic === undefined ? '' : `<basic>${basic}</basic>`}${statusExtensions.map(renderExtension).join('')}</status>`,
    ...extensions.map(renderExtension),
    contact === undefined ? '' : renderContact(contact),
    ...notes.map((note) => renderNote('note', note)),
    timestamp === undefined ? '' : `<timestamp>${escapeXml(timestamp)}</timestamp>`,
  ];
  return `<tuple id="${escapeXml(id)}">${inside.join('')}</tuple>\n`;
}

function renderContact({ uri, priority }: NonNullable<PresenceTuple['contact']>): string {
  return `<contact${priority === undefined ? '' : ` priority="${escapeXml(priority)}"`}>${escapeXml(uri)}</contact>`;
}

function renderPerson({ tuples, activities, personNotes, personExtensions }: Presence): string {
  if (activities.length + personNotes.length + personExtensions.length === 0) return '';
  // Ids are unique in the whole document.
  const taken = new Set(tuples.map((tuple) => tuple.id));
  let id = 'person';
  while (taken.has(id)) id = `${id}-`;
  const inside = [
    activities.length === 0 ? '' : `<rpid:activities>${activities.map(renderActivity).join('')}</rpid:activities>`,
    ...personExtensions.map(renderExtension),
    ...personNotes.map((note) => renderNote('dm:note', note)),
  ];
  return `<dm:person id="${id}">${inside.join('')}</dm:person>\n`;
}

function renderActivity({ namespace, name, text }: Activity): string {
  if (namespace !== '') return renderExtension({ namespace, name, text, attributes: {}, children: [] });
  return text === '' ? `<rpid:${name}/>` : `<rpid:${name}>${escapeXml(text)}</rpid:${name}>`;
}

const renderNote = (name: 'note' | 'dm:note', text: string): string => `<${name}>${escapeXml(text)}</${name}>`;

function renderExtension({ namespace, name, attributes, text, children }: Extension): string {
  const all = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`);
  const inside = `${escapeXml(text)}${children.map(renderExtension).join('')}`;
  return `<${name} xmlns="${escapeXml(namespace)}"${all.join('')}>${inside}</${name}>`;
}

const childrenOf = (element: XmlElement, namespace: string, name: string): XmlElement[] =>
  element.children.filter((child) => child.name === name && child.namespace === namespace);

// The type of an id is xs:ID: a name without a colon.
const isXmlName = (text: string): boolean => /^[A-Za-z_][\w.-]*$/.test(text);
const xmlIdOf = (id: string): string =>
  isXmlName(id) && id.length <= PIDF_LIMITS.idLength
    ? id
    : `t${createHash('sha256').update(id).digest('hex').slice(0, 16)}`;

const isDateTime = (text: string): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)?$/.test(text) &&
  !Number.isNaN(Date.parse(text)) &&
  isDayOfMonth(text.slice(0, 10));

// Date.parse takes the 30th of February for a day in March.
const isDayOfMonth = (day: string): boolean => new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);

const bad = (reason: string): SipRejection => new SipRejection(400, reason);
const tooLarge = (): SipRejection => new SipRejection(413, 'Presence Document Too Large');
