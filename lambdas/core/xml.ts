/** XML text <-> elements, for documents that strangers send. Bounded; no DTD, no entity but the five of XML itself. */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { SipRejection } from './error.ts';

/** Bounds of a document; more is refused with 400 before or while it is parsed. */
export const XML_LIMITS = { depth: 16, tags: 4_096 } as const;

export interface XmlElement {
  /** Namespace name, '' for none. */
  readonly namespace: string;
  /** Local name, without prefix. */
  readonly name: string;
  /** Attributes without a prefix, by name. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** All character data directly inside, in order. */
  readonly text: string;
}

const DOCUMENT_TYPE = /<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)/i;
// XML 1.0 section 2.2: everything that is not a Char, lone surrogates included.
const ILLEGAL = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const ILLEGAL_ALL = new RegExp(ILLEGAL.source, 'gu');
const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
const TEXT = '#text';
const CDATA = '#cdata';
const ATTRIBUTES = ':@';

/** Made at the first use, so that bundles which parse nothing need not carry it. */
let known: XMLParser | undefined;
const parser = (): XMLParser => {
  known ??= new XMLParser(OPTIONS);
  return known;
};

const OPTIONS = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  textNodeName: TEXT,
  cdataPropName: CDATA,
  processEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: XML_LIMITS.depth,
} as const;

/**
 * Parses a whole document.
 * @returns its root element
 * @throws {SipRejection} 400 with what is wrong: malformed, document type, entity, too deep, too many tags
 */
export function parseXml(text: string): XmlElement {
  const document = text.replace(/^\ufeff/, '').trim();
  if (DOCUMENT_TYPE.test(document)) throw badXml('Document Type Not Allowed');
  if (ILLEGAL.test(document)) throw badXml('Illegal Character');
  if (countTags(document) > XML_LIMITS.tags) throw badXml('Too Many Elements');
  if (XMLValidator.validate(document) !== true) throw badXml('Not Well-Formed');
  const roots = parseNodes(document).filter((node) => tagOfNode(node) !== undefined);
  const [root] = roots;
  if (root === undefined || roots.length > 1) throw badXml('Not One Root Element');
  return elementOf(root, new Map([['xml', XML_NAMESPACE]]));
}

/** Escapes for text and for attribute values; drops what XML 1.0 cannot carry. */
export function escapeXml(text: string): string {
  return text.replace(ILLEGAL_ALL, '').replace(/[&<>"'\t\n\r]/g, (each) => ESCAPES[each] ?? each);
}

// White space is escaped too: an attribute value would be normalized to blanks otherwise.
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

type Node = Readonly<Record<string, unknown>>;
type Namespaces = ReadonlyMap<string, string>;

function parseNodes(document: string): Node[] {
  try {
    return nodesOf(parser().parse(document));
  } catch (error) {
    const tooDeep = error instanceof Error && /nested/i.test(error.message);
    throw badXml(tooDeep ? 'Nested Too Deeply' : 'Not Well-Formed');
  }
}

function elementOf(node: Node, outer: Namespaces): XmlElement {
  const tag = tagOfNode(node) ?? '';
  const raw = attributesOfNode(node);
  const namespaces = declaredIn(raw, outer);
  const [prefix, name] = splitName(tag);
  const namespace = namespaces.get(prefix);
  if (namespace === undefined && prefix !== '') throw badXml('Unbound Prefix');
  const content = nodesOf(node[tag]);
  return {
    namespace: namespace ?? '',
    name,
    attributes: new Map(raw.filter(([each]) => !each.includes(':') && each !== 'xmlns')),
    children: content.filter((each) => tagOfNode(each) !== undefined).map((each) => elementOf(each, namespaces)),
    text: content.map(characterData).join(''),
  };
}

function declaredIn(attributes: readonly [string, string][], outer: Namespaces): Namespaces {
  const declared = attributes.filter(([name]) => name === 'xmlns' || name.startsWith('xmlns:'));
  if (declared.length === 0) return outer;
  return new Map([
    ...outer,
    ...declared.map(([name, value]): [string, string] => [name.slice('xmlns:'.length), value]),
  ]);
}

function splitName(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(':');
  return colon < 0 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)];
}

function attributesOfNode(node: Node): [string, string][] {
  const attributes = node[ATTRIBUTES];
  if (typeof attributes !== 'object' || attributes === null) return [];
  return Object.entries(attributes).map(([name, value]) => {
    const text = String(value);
    if (text.includes('<')) throw badXml('Not Well-Formed');
    return [name, decodeEntities(text.replace(/[\t\n\r]/g, ' '))];
  });
}

function characterData(node: Node): string {
  if (TEXT in node) return decodeEntities(String(node[TEXT]));
  return nodesOf(node[CDATA])
    .map((each) => String(each[TEXT] ?? ''))
    .join('');
}

/** Decodes the five entities and character references (XML 1.0 section 4.1); any other entity is refused. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&([^;&]*);?/g, (reference, name: string) => {
    const decoded = reference.endsWith(';') ? (characterOf(name) ?? ENTITIES[name]) : undefined;
    if (decoded === undefined) throw badXml('Unknown Entity');
    return decoded;
  });
}

function characterOf(name: string): string | undefined {
  const digits = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
  if (digits === null) return undefined;
  const codePoint = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16);
  if (codePoint > 0x10ffff) return undefined;
  const character = String.fromCodePoint(codePoint);
  return ILLEGAL.test(character) ? undefined : character;
}

function countTags(document: string): number {
  let count = 0;
  for (let at = document.indexOf('<'); at >= 0; at = document.indexOf('<', at + 1)) count += 1;
  return count;
}

function tagOfNode(node: Node): string | undefined {
  return Object.keys(node).find((key) => key !== ATTRIBUTES && key !== TEXT && key !== CDATA);
}

function nodesOf(value: unknown): Node[] {
  return Array.isArray(value) ? value.filter((each): each is Node => typeof each === 'object' && each !== null) : [];
}

const badXml = (what: string): SipRejection => new SipRejection(400, `Bad XML: ${what}`);
