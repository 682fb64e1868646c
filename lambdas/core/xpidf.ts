/** application/xpidf+xml, the presence document of older phones (Polycom): one status in MSN's words. Pure. */
import { type Activity, basicStatusOf, type Presence } from './presence.ts';
import { escapeXml } from './xml.ts';

export const XPIDF_TYPE = 'application/xpidf+xml';

interface Status {
  readonly status: 'open' | 'inuse' | 'closed';
  readonly substatus: 'online' | 'onthephone' | 'busy' | 'away' | 'offline';
}

// These activities mean that nobody is there; `other` may mean anything.
const AWAY: ReadonlySet<string> = new Set([
  ...['away', 'breakfast', 'dinner', 'holiday', 'in-transit', 'meal', 'permanent-absence', 'sleeping'],
  ...['shopping', 'travel', 'vacation', 'worship'],
]);
const NOTHING: ReadonlySet<string> = new Set(['unknown', 'other', 'looking-for-work']);

/**
 * Renders the aggregated status.
 * @param entity AOR of the presentity
 */
export function renderXpidf(entity: string, presence: Presence): [whole: string] {
  const uri = escapeXml(entity);
  const { status, substatus } = statusOf(presence);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE presence PUBLIC "-//IETF//DTD RFCxxxx XPIDF 1.0//EN" "xpidf.dtd">',
    '<presence>',
    `<presentity uri="${uri};method=SUBSCRIBE"/>`,
    `<atom id="${uri}">`,
    `<address uri="${uri};user=ip" priority="0.800000">`,
    `<status status="${status}"/>`,
    `<msnsubstatus substatus="${substatus}"/>`,
    '</address>',
    '</atom>',
    '</presence>',
  ];
  return [`${lines.join('\n')}\n`];
}

function statusOf(presence: Presence): Status {
  if (isAny(presence.activities, ({ name }) => name === 'on-the-phone')) {
    return { status: 'inuse', substatus: 'onthephone' };
  }
  if (basicStatusOf(presence) === 'closed') return { status: 'closed', substatus: 'offline' };
  if (isAny(presence.activities, ({ name }) => !AWAY.has(name) && !NOTHING.has(name))) {
    return { status: 'open', substatus: 'busy' };
  }
  const isAway = isAny(presence.activities, ({ name }) => AWAY.has(name));
  return { status: 'open', substatus: isAway ? 'away' : 'online' };
}

const isAny = (activities: readonly Activity[], isSo: (activity: Activity) => boolean): boolean =>
  activities.some((activity) => activity.namespace === '' && isSo(activity));
