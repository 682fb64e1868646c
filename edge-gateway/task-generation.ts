/** Which generation of gateways this one is of, as ECS counts them: the revision of its task definition. */
import * as v from 'valibot';
import { generationPrefix } from '#core/gateway-generation.ts';

const task = v.object({ Revision: v.pipe(v.string(), v.regex(/^\d{1,9}$/), v.transform(Number)) });

/**
 * Asks the ECS task metadata (version 4).
 * @returns start of the gateway's id; nothing outside of ECS, or when it does not say
 */
export async function readGeneration(metadataUri: string | undefined, region: string | undefined): Promise<string> {
  if (metadataUri === undefined || region === undefined) return '';
  const read = async (): Promise<unknown> =>
    (await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(3_000) })).json();
  const answer = v.safeParse(task, await read().catch(() => undefined));
  return answer.success ? generationPrefix(answer.output.Revision, region) : '';
}
