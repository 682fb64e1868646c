/** Where functions reach this gateway: as configured, or as ECS says. */
import * as v from 'valibot';

const taskMetadata = v.object({
  Networks: v.pipe(v.array(v.object({ IPv4Addresses: v.pipe(v.array(v.string()), v.minLength(1)) })), v.minLength(1)),
});

/**
 * Resolves `auto` by the ECS container metadata (version 4).
 * @throws {Error} when `auto` is asked for outside of ECS, saying what to set instead
 */
export async function resolveAdvertisedHost(configured: string, metadataUri: string | undefined): Promise<string> {
  if (configured !== 'auto') return configured;
  if (metadataUri === undefined)
    throw new Error('ADVERTISED_HOST=auto works in an ECS task only; elsewhere set the address that functions reach.');
  const response = await fetch(metadataUri, { signal: AbortSignal.timeout(3_000) });
  const address = v.parse(taskMetadata, await response.json()).Networks[0]?.IPv4Addresses[0];
  if (address === undefined) throw new Error('The ECS metadata name no IPv4 address; set ADVERTISED_HOST.');
  return address;
}
