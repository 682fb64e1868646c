/** How far each shard is done, kept in a file so that a restarted poller goes on there. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Writes are gathered for this long; what is done in between is delivered again after a kill. */
const WRITE_EVERY_MS = 100;

export interface Checkpoints {
  get(shardId: string): string | undefined;
  set(shardId: string, sequenceNumber: string): void;
  /** Writes at once what is not written yet. */
  flush(): void;
}

/** @param owner the stream's ARN: checkpoints of another stream in the same file are worth nothing */
export function openCheckpointFile(file: string, owner: string): Checkpoints {
  const checkpoints = new Map(Object.entries(readCheckpoints(file, owner)));
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    writeFileSync(`${file}.new`, JSON.stringify({ owner, checkpoints: Object.fromEntries(checkpoints) }));
    renameSync(`${file}.new`, file);
  };
  return {
    get: (shardId) => checkpoints.get(shardId),
    set(shardId, sequenceNumber) {
      if (checkpoints.get(shardId) === sequenceNumber) return;
      checkpoints.set(shardId, sequenceNumber);
      timer ??= setTimeout(flush, WRITE_EVERY_MS);
    },
    flush,
  };
}

/** A file that is missing or broken means to begin anew: records come again, none is lost. */
function readCheckpoints(file: string, owner: string): Record<string, string> {
  try {
    const content = JSON.parse(readFileSync(file, 'utf8')) as { owner: string; checkpoints: Record<string, string> };
    return content.owner === owner ? content.checkpoints : {};
  } catch {
    return {};
  }
}
