/** Generations of gateways: a deployment brings a new one, and those before it are to go. Pure. */

/** Start of the id of a gateway that knows its generation: a number that grows, and where it is counted. */
export const generationPrefix = (revision: number, region: string): string => `r${revision}.${region}.`;

const GENERATION = /^r(\d+)\.([a-z0-9-]+)\./;

/** True when one of the others is of a newer generation of the same region. */
export function isSuperseded(gatewayId: string, others: Iterable<string>): boolean {
  const own = generationOf(gatewayId);
  if (own === undefined) return false;
  return [...others].map(generationOf).some((other) => other?.region === own.region && other.revision > own.revision);
}

function generationOf(gatewayId: string): { readonly revision: number; readonly region: string } | undefined {
  const [, revision, region] = GENERATION.exec(gatewayId) ?? [];
  return revision === undefined || region === undefined ? undefined : { revision: Number(revision), region };
}
