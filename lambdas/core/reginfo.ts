/** application/reginfo+xml (RFC 3680): who is registered where. Pure. */
import type { Binding } from './binding.ts';
import { escapeXml } from './xml.ts';

export const REGINFO_TYPE = 'application/reginfo+xml';
const NAMESPACE = 'urn:ietf:params:xml:ns:reginfo';

/** `init` before the first registration, `terminated` after the last one (RFC 3680 section 3.7.1). */
export type RegistrationState = 'init' | 'active' | 'terminated';

export interface RegInfo {
  readonly bindings: readonly Binding[];
  /** True when there has been a registration before. */
  readonly wasRegistered: boolean;
}

/**
 * Renders a full document, split around its version. Contacts that are gone are no longer listed.
 * @param entity AOR of the presentity
 * @param nowMs time that is left is counted from
 */
export function renderRegInfo(
  entity: string,
  { bindings, wasRegistered }: RegInfo,
  nowMs: number,
): [before: string, after: string] {
  const before = `<?xml version="1.0" encoding="UTF-8"?>\n<reginfo xmlns="${NAMESPACE}" version="`;
  const aor = escapeXml(entity);
  const state = stateOf(bindings.length, wasRegistered);
  const contacts = bindings.map((binding) => renderContact(binding, nowMs)).join('');
  const registration = `<registration aor="${aor}" id="${aor}" state="${state}">\n${contacts}</registration>\n`;
  return [before, `" state="full">\n${registration}</reginfo>\n`];
}

function stateOf(bindings: number, wasRegistered: boolean): RegistrationState {
  if (bindings > 0) return 'active';
  return wasRegistered ? 'terminated' : 'init';
}

// Element order is the schema's: uri, unknown-param.
function renderContact(binding: Binding, nowMs: number): string {
  const { id, contactUri, params, callId, cseq, updatedAtMs, expiresAtMs } = binding;
  const { createdAtMs = updatedAtMs } = binding;
  const q = params.find(([name]) => name === 'q')?.[1];
  const start = attributes({
    // `registered` is for what an administrator has bound.
    ...{ id, state: 'active', event: createdAtMs === updatedAtMs ? 'created' : 'refreshed' },
    'duration-registered': String(Math.max(0, Math.floor((nowMs - createdAtMs) / 1_000))),
    expires: String(Math.max(0, Math.ceil((expiresAtMs - nowMs) / 1_000))),
    q: q !== undefined && /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? q : undefined,
    callid: callId,
    cseq: String(cseq),
  });
  const others = params
    .filter(([name]) => name !== 'q')
    .map(([name, value]) => `<unknown-param${attributes({ name })}>${escapeXml(value)}</unknown-param>`);
  return `<contact${start}><uri>${escapeXml(contactUri)}</uri>${others.join('')}</contact>\n`;
}

function attributes(values: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(values)
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${escapeXml(value)}"`))
    .join('');
}
