/** Lends Node what the browser's DOMParser gives: elements with children, attributes and text. */
import { XMLParser } from 'fast-xml-parser';
import type { XmlElement } from '#gateway/panel/dialog-info.ts';

type OrderedNode = Record<string, unknown>;

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  removeNSPrefix: true,
  parseTagValue: false,
  ignoreDeclaration: true,
});

/** @throws {Error} when the text has no root element */
export function rootElement(xml: string): XmlElement {
  const [root] = elements(parser.parse(xml));
  if (root === undefined) throw new Error('no root element');
  return root;
}

function elements(nodes: unknown): XmlElement[] {
  return Array.isArray(nodes) ? nodes.filter((node) => !('#text' in node)).map(toElement) : [];
}

function toElement(node: OrderedNode): XmlElement {
  const [localName = '', nodes] = Object.entries(node).find(([key]) => key !== ':@') ?? [];
  const attributes = Object.entries(node[':@'] ?? {});
  const text = Array.isArray(nodes) ? nodes.map((child) => String(child['#text'] ?? '')).join('') : '';
  return {
    localName,
    children: elements(nodes),
    textContent: text,
    getAttribute: (name) => attributes.find(([key]) => key === name)?.[1] ?? null,
  };
}
