/** Presence documents for tests. */
import type { Presentity } from '#core/presentity.ts';
import type { Publication, PublicationContent } from '#core/publication.ts';
import { T0 } from './envelope.ts';

export const NO_PRESENCE = {
  ...{ tuples: [], notes: [], activities: [], personNotes: [], personExtensions: [], extensions: [] },
};

/** A PIDF document around the given elements, with the usual prefixes. */
export function pidf(inside: string, entity = 'sip:1002@demo.example'): string {
  const namespaces =
    'xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"';
  return `<?xml version="1.0"?>\n<presence ${namespaces} entity="${entity}">${inside}</presence>`;
}

export const tupleElement = (id: string, basic: string, more = ''): string =>
  `<tuple id="${id}"><status><basic>${basic}</basic></status>${more}</tuple>`;

export const activities = (...names: readonly string[]): string =>
  `<dm:person id="p1"><rpid:activities>${names.map((name) => `<rpid:${name}/>`).join('')}</rpid:activities></dm:person>`;

/** A publication that stands until a minute after T0. */
export function publicationOf(
  event: string,
  content: PublicationContent,
  more: Partial<Publication> = {},
): Publication {
  const publisher = 'sip:pbx@demo.example';
  const times = { expiresAtMs: T0 + 60_000, updatedAtMs: T0 };
  return { id: 'p1', entityTag: 'p1.1', event, publisher, ...times, content, ...more };
}

export const presentityOf = (publications: readonly Publication[], more: Partial<Presentity> = {}): Presentity => ({
  ...{ version: 1, changedAtMs: T0, publications },
  ...more,
});
