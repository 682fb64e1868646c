/** Which addresses are of the public Internet (RFC 6890): others are not asked on behalf of a tenant. */
import { BlockList, isIP } from 'node:net';

const NETWORKS_V4 = [
  ...(['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'] as const),
  ...(['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'] as const),
  ...(['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'] as const),
] as const;
/** Unique local, link-local, multicast, documentation, and those that carry an IPv4 address to somewhere else. */
const NETWORKS_V6 = [
  ...(['::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/32', '2001:db8::/32', '2002::/16'] as const),
  ...(['fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'] as const),
] as const;

const closed = new BlockList();
for (const [networks, family] of [
  [NETWORKS_V4, 'ipv4'],
  [NETWORKS_V6, 'ipv6'],
] as const) {
  for (const network of networks) {
    const [base = '', length] = network.split('/');
    closed.addSubnet(base, Number(length), family);
  }
}

/** False for what is no IP address, too. An IPv4 address in the form of IPv6 counts as itself. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && !closed.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

export const isLoopbackAddress = (address: string): boolean => /^(?:::ffff:)?127\.|^::1$/i.test(address);
