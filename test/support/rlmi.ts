/** Reads the body of a NOTIFY for an event list (RFC 4662), and refuses what is not right in it. */
import { parseXml, type XmlElement } from '#core/xml.ts';

export interface BodyPart {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RlmiResource {
  readonly uri: string;
  readonly name?: string | undefined;
  /** Attributes of the only instance. */
  readonly instance: Readonly<Record<string, string>>;
  readonly cid: string | undefined;
  /** The part that `cid` names. */
  readonly body: string | undefined;
}

export interface RlmiList {
  readonly uri: string;
  readonly version: number;
  readonly isFull: boolean;
  readonly resources: readonly RlmiResource[];
}

/** Parts of a multipart body (RFC 2046 section 5.1). @throws when it has not the form */
export function partsOf(contentType: string, body: string): BodyPart[] {
  const boundary = /boundary="([^"]+)"/.exec(contentType)?.[1];
  if (boundary === undefined) throw new Error(`no boundary in ${contentType}`);
  const sections = `\r\n${body}`.split(`\r\n--${boundary}`);
  if (sections[0] !== '' || sections.at(-1) !== '--\r\n') throw new Error(`bad delimiters: ${body}`);
  return sections.slice(1, -1).map((section) => {
    const split = section.indexOf('\r\n\r\n');
    if (!section.startsWith('\r\n') || split < 0) throw new Error(`bad part: ${section}`);
    const headers = section
      .slice(2, split)
      .split('\r\n')
      .map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      });
    return { headers: new Map(headers), body: section.slice(split + 4) };
  });
}

/**
 * The list that a body says.
 * @throws when the root is not RLMI, a cid names no part or the same one twice, or a part is named by none
 */
export function readRlmi(contentType: string, body: string): RlmiList {
  const [root, ...parts] = partsOf(contentType, body);
  const start = /start="<([^>]+)>"/.exec(contentType)?.[1];
  if (root === undefined || root.headers.get('content-id') !== `<${start}>`) throw new Error('the root is not first');
  const list = parseXml(root.body);
  const byCid = new Map(parts.map((part) => [part.headers.get('content-id') ?? '', part.body]));
  if (byCid.size !== parts.length) throw new Error('two parts have one Content-ID');
  const resources = list.children.filter(({ name }) => name === 'resource').map((each) => resourceOf(each, byCid));
  const named = resources.flatMap(({ cid }) => cid ?? []);
  if (named.length !== parts.length || new Set(named).size !== named.length) throw new Error('cids and parts differ');
  return {
    uri: list.attributes.get('uri') ?? '',
    version: Number(list.attributes.get('version')),
    isFull: list.attributes.get('fullState') === 'true',
    resources,
  };
}

function resourceOf(element: XmlElement, byCid: ReadonlyMap<string, string>): RlmiResource {
  const instances = element.children.filter(({ name }) => name === 'instance');
  const attributes = instances[0]?.attributes ?? new Map<string, string>();
  if (instances.length !== 1 || !attributes.has('id')) throw new Error('not one instance');
  const cid = attributes.get('cid');
  const body = cid === undefined ? undefined : byCid.get(`<${cid}>`);
  if (cid !== undefined && body === undefined) throw new Error(`no part ${cid}`);
  return {
    uri: element.attributes.get('uri') ?? '',
    name: element.children.find(({ name }) => name === 'name')?.text,
    instance: Object.fromEntries(attributes),
    cid,
    body,
  };
}
