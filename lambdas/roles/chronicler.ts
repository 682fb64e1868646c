/** Chronicler: writes down why lamps changed, for whoever asks later. Behind the delivery, and never in its way. */
import { lampChange } from '#core/lamp-history.ts';
import { type PresentityChange, saveChanges } from '#table/history-item.ts';
import { decodeStateChange } from '#table/stream-record.ts';
import type { Table } from '#table/table.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface ChroniclerPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
  /** False for a tenant that is removed, or is about to be: nothing is written of it any more. */
  readonly isServed: (domain: string) => Promise<boolean>;
  /** How long changes are kept; 0: none are written. */
  readonly historyHours: number;
  readonly pause: (ms: number) => Promise<void>;
}

const HOP = 'history';
/** Longer than this nobody waits for a history: the next batch of lamps is behind it. */
const PATIENCE_MS = 200;
/** Of one lamp in one batch, the newest: a storm of changes must not become as many writes again. */
const MOST_OF_ONE_LAMP = 20;

/** One BatchWriteItem 25 changes of a batch of stream records. What fails is missing in the history, and nowhere else. */
export async function chronicle(records: readonly unknown[], ports: ChroniclerPorts): Promise<void> {
  const { historyHours, pause, telemetry } = ports;
  if (historyHours === 0) return;
  const late = pause(PATIENCE_MS).then(() => 'late');
  const outcome = await Promise.race([write(records, ports), late]);
  if (outcome === 'late') telemetry.log('warn', HOP, { outcome, records: records.length });
}

async function write(records: readonly unknown[], ports: ChroniclerPorts): Promise<void> {
  const { table, isServed, historyHours, telemetry } = ports;
  try {
    const changes = newestOfEach(records.flatMap(changeOf));
    const served = await Promise.all(changes.map(({ presentity }) => isServed(presentity.domain)));
    const kept = changes.filter((_, index) => served[index]);
    if (kept.length > 0) await saveChanges(table, kept, historyHours);
  } catch (error) {
    telemetry.log('warn', HOP, failureFields(error));
  }
}

function newestOfEach(changes: readonly PresentityChange[]): PresentityChange[] {
  const byLamp = Map.groupBy(changes, ({ presentity: { domain, user } }) => `${domain}#${user}`);
  return [...byLamp.values()].flatMap((all) => all.slice(-MOST_OF_ONE_LAMP));
}

/** A record that cannot be read is the fan-out's to tell. */
function changeOf(record: unknown): PresentityChange[] {
  try {
    const change = decodeStateChange(record);
    const lamp = change && lampChange(change.before, change.after);
    return change && lamp ? [{ presentity: change.presentity, change: lamp }] : [];
  } catch {
    return [];
  }
}
