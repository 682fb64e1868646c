/** The event packages that take PUBLISH (RFC 3903), and what their documents mean. Pure; apart, since it needs the XML parser. */
import { DIALOG_INFO_TYPE, parseDialogInfo } from './dialog-info.ts';
import { DIALOG, type EventPackage, MESSAGES, PRESENCE, packageNamed } from './event-package.ts';
import { MESSAGE_SUMMARY_TYPE, parseMessageSummary } from './message-summary.ts';
import { CPIM_PIDF_TYPE, PIDF_TYPE, parsePidf } from './pidf.ts';
import type { PublishedDocument } from './publication.ts';
import { parseParameterized } from './sip/header.ts';

export interface PublishedEventPackage extends EventPackage {
  /** Content types of a PUBLISH. */
  readonly publishedTypes: readonly string[];
  /** @throws {SipRejection} 400 or 413 */
  parse(body: string, nowMs: number): PublishedDocument;
}

const PUBLISHED_PACKAGES: readonly PublishedEventPackage[] = [
  {
    ...DIALOG,
    publishedTypes: [DIALOG_INFO_TYPE],
    parse(body, nowMs) {
      const { state, dialogs } = parseDialogInfo(body, nowMs);
      return { kind: 'dialogs', scope: state, dialogs };
    },
  },
  {
    ...PRESENCE,
    publishedTypes: [PIDF_TYPE, CPIM_PIDF_TYPE],
    parse: (body) => ({ kind: 'presence', presence: parsePidf(body) }),
  },
  {
    ...MESSAGES,
    publishedTypes: [MESSAGE_SUMMARY_TYPE],
    parse: (body) => ({ kind: 'messages', summary: parseMessageSummary(body) }),
  },
];

/**
 * The event package that a PUBLISH names.
 * @throws {SipRejection} 489 with Allow-Events when Event is missing or names a package that takes no PUBLISH
 */
export function publishedPackage(event: string | undefined): PublishedEventPackage {
  return packageNamed(parseParameterized(event ?? '').value, PUBLISHED_PACKAGES);
}
