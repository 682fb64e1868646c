/** Changes as routes hand them to roles, and what comes of them as an answer. */
import { Problem } from '#core/problem.ts';
import type { Change, Changed } from '#roles/change.ts';
import type { Answer, Context } from './route.ts';

type Asked = Pick<Context, 'caller' | 'precondition' | 'path' | 'requestId' | 'nowMs'>;

/** Who changes what: for the roles that write. */
export const changeOf = ({ caller, precondition, path, requestId, nowMs }: Asked): Change => ({
  ...{ precondition, by: caller.key, resource: path, requestId, nowMs },
});

/** 201 with Location for what is new, else 200; with the entity-tag. */
export function changedAnswer<Shown extends object>(
  { path }: Pick<Context, 'path'>,
  { kind, shown, etag }: Changed<Shown>,
): Answer {
  const isNew = kind === 'created';
  return { status: isNew ? 201 : 200, body: shown, etag, ...(isNew && { headers: { location: path } }) };
}

/**
 * A body may repeat what the path says, so that what was read can be put back.
 * @throws {Problem} 400 when it says something else
 */
export function requireSame(member: string, given: string | undefined, inPath: string): void {
  if (given === undefined || given === inPath) return;
  throw new Problem(400, 'Body and path do not agree.', {}, [
    { pointer: `#/${member}`, detail: 'is not what the path says' },
  ]);
}
