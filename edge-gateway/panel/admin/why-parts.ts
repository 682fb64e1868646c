/** Lists of the page that explains a lamp: publications, and subscriptions with their NOTIFYs. */
import { button, codeCell, timeCell } from '#gateway/panel/admin/parts.ts';
import type { History, Notify, PresentityDetails, ToldSubscription } from '#gateway/panel/admin/shapes.ts';
import { answerText, publisherText, subscriptionText } from '#gateway/panel/admin/why-words.ts';
import { element } from '#gateway/panel/dom.ts';

/** A publication stays a while after its last call, so that late words of it are known. */
const DIALOGS: Readonly<Record<number, string>> = { 0: 'no call any more', 1: 'a call' };

/** @param onReset undefined: it is not for this key */
export function publicationList(
  publications: PresentityDetails['publications'],
  domain: string,
  onReset: ((publication: string) => void) | undefined,
): HTMLElement {
  if (publications.length === 0) return element('p', { class: 'hint' }, 'Nothing is published now.');
  const items = publications.map(({ id, event, publisher, entityTag, expiresAt, updatedAt, dialogs }) =>
    element(
      'li',
      {},
      element('strong', {}, publisherText(publisher, domain)),
      element(
        'span',
        {},
        `${event}${dialogs === undefined ? '' : `: ${DIALOGS[dialogs] ?? `${dialogs} calls`}`}, told `,
        timeCell(updatedAt),
        ', good until ',
        timeCell(expiresAt),
      ),
      codeCell(entityTag),
      ...(onReset === undefined ? [] : [button('Remove', 'danger', () => onReset(id), `Remove the publication ${id}`)]),
    ),
  );
  return element('ul', { class: 'facts', 'aria-label': 'Publications' }, ...items);
}

export function subscriptionList({ subscriptions, moreSubscriptions }: History, domain: string): HTMLElement {
  if (subscriptions.length === 0) return element('p', { class: 'hint' }, 'Nobody watches this lamp now.');
  const more = moreSubscriptions === true ? [element('li', { class: 'hint' }, 'There are more than are shown.')] : [];
  const items = subscriptions.map((each) => element('li', {}, subscriptionDetails(each, domain)));
  return element('ul', { class: 'told', 'aria-label': 'Subscriptions' }, ...items, ...more);
}

function subscriptionDetails(subscription: ToldSubscription, domain: string): HTMLElement {
  const { notifies } = subscription;
  const [last] = notifies;
  const summary = element(
    'summary',
    {},
    subscriptionText(subscription, domain),
    ...(last === undefined ? [] : [element('span', { class: 'hint' }, ` · last NOTIFY ${answerText(last)}`)]),
  );
  return element('details', {}, summary, element('ol', { class: 'notifies' }, ...notifies.map(notifyLine)));
}

function notifyLine(notify: Notify): HTMLElement {
  const { sentAt, cseq, documentVersion, presentityVersion } = notify;
  const document = documentVersion === undefined ? '' : `, document ${documentVersion}`;
  return element(
    'li',
    {},
    timeCell(sentAt),
    ` CSeq ${cseq}${document}, state ${presentityVersion}: ${answerText(notify)}`,
  );
}
