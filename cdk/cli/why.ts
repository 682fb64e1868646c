/** Why a lamp is as it is, in lines for a person: its changes, the newest first, and who was told. Pure. */
import { clockText, durationText, harmless, relativeText, timeMs } from './format.ts';
import type { ChangeSource, HistoryChange, HistoryPage, NotifiedWatcher } from './resources.ts';

const MOST_NOTIFIES = 5;

const CAUSES: Readonly<Record<string, string>> = {
  publication: 'published',
  call: 'a call of the system',
  source: 'told by HTTP',
  expiry: 'ran out, since nobody refreshed it',
  removal: 'taken back by its publisher',
  reset: 'reset',
  registration: 'a device came or went',
};

export function whyLines(
  { presentity, items, subscriptions, moreSubscriptions, next }: HistoryPage,
  nowMs: number,
  bold: (text: string) => string,
): string[] {
  const { user, lamp, version, changedAt, registered } = presentity;
  const since = relativeText(changedAt, nowMs);
  const head = `${harmless(user)} is ${lamp}${since ? `, last changed ${since}` : ''} (version ${version}, ${registered ? '' : 'not '}signed in)`;
  return [
    bold(head),
    '',
    ...(items.length === 0
      ? ['Nothing has changed within the time that history is kept.']
      : items.flatMap(changeLines)),
    ...(next ? ['  older changes: --all'] : []),
    '',
    ...(subscriptions.length === 0
      ? ['Nobody watches it now.']
      : subscriptions.flatMap((each) => watcherLines(each, nowMs))),
    ...(moreSubscriptions ? ['  and more watchers'] : []),
  ];
}

function changeLines({ at, version, from, to, sources, dialogs }: HistoryChange): string[] {
  const date = new Date(timeMs(at) ?? 0).toLocaleDateString('sv-SE');
  return [
    `${date} ${clockText(at)}  version ${version}  ${from === to ? `still ${to}` : `${from} → ${to}`}`,
    ...sources.map((source) => `    ${sourceText(source)}`),
    ...dialogs.map(
      ({ state, direction, callId, remote }) =>
        `    dialog ${[state, direction, remote && `with ${remote}`, callId && `Call-ID ${callId}`].flatMap((text) => (text ? [harmless(text)] : [])).join(', ')}`,
    ),
  ];
}

export function sourceText({ cause, publication, publisher, entityTag, event, by }: ChangeSource): string {
  const parts = [
    CAUSES[cause] ?? cause,
    publisher && `by ${publisher}`,
    event && `event ${event}`,
    publication && `publication ${publication}`,
    entityTag && `entity-tag ${entityTag}`,
    by && `with key ${by}`,
  ];
  return parts.flatMap((part) => (part ? [harmless(part)] : [])).join(', ');
}

const STATES: Readonly<Record<string, string>> = {
  live: '',
  parked: ', its connection is gone and may come back',
  lost: ', its gateway does not know it any more',
  unreachable: ', its gateway is silent',
};

function watcherLines(
  { watcher, event, state, isWaiting, expiresAt, notifies, gateway }: NotifiedWatcher,
  nowMs: number,
): string[] {
  const ends = relativeText(expiresAt, nowMs) ?? '';
  const waiting = isWaiting ? ', a newer state waits' : '';
  return [
    `${harmless(watcher)} watches (${harmless(event)}) at ${harmless(gateway)}, ends ${ends}${STATES[state] ?? `, ${state}`}${waiting}`,
    ...notifies.slice(0, MOST_NOTIFIES).map(notifyText),
  ];
}

function notifyText({
  sentAt,
  cseq,
  documentVersion,
  presentityVersion,
  answer,
  roundTripMs,
  timedOut,
}: NotifiedWatcher['notifies'][number]): string {
  const document = documentVersion === undefined ? '' : `, document version ${documentVersion}`;
  const outcome = answer === undefined ? (timedOut ? 'never answered' : 'not answered yet') : `answered ${answer}`;
  const time =
    roundTripMs === undefined ? '' : ` after ${roundTripMs < 1_000 ? `${roundTripMs} ms` : durationText(roundTripMs)}`;
  return `    ${clockText(sentAt)}  NOTIFY, CSeq ${cseq}${document}, version ${presentityVersion}: ${outcome}${time}`;
}
