/** In which order the shards of a stream are read: a parent before its children. Pure. */
export interface ShardPlace {
  readonly ShardId?: string;
  readonly ParentShardId?: string;
}

/** Shards that may be read now: not begun yet, and their parent is finished or forgotten by the stream. */
export function readableShards(
  shards: readonly ShardPlace[],
  begun: ReadonlySet<string>,
  finished: ReadonlySet<string>,
): string[] {
  const listed = new Set(shards.map((shard) => shard.ShardId));
  const isFree = ({ ParentShardId: parent }: ShardPlace) =>
    parent === undefined || finished.has(parent) || !listed.has(parent);
  return shards
    .filter((shard) => shard.ShardId !== undefined && !begun.has(shard.ShardId) && isFree(shard))
    .flatMap((shard) => shard.ShardId ?? []);
}
