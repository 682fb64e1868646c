import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address } from '#core/identity.ts';
import {
  areFederated,
  DEFAULT_USER_WATCH,
  DEFAULT_WATCH,
  decideAccess,
  dependsOnGroups,
  isOpen,
  mayPublisherServe,
  NO_RULES,
  REDACTIONS,
  servesByGroup,
  type TenantWatch,
  type UserWatch,
  WATCH_DEFAULTS,
  type WatchParty,
  type WatchRules,
} from '#core/watch-policy.ts';

const HOME = 'demo.example';
const party = (user: string, rules: Partial<WatchRules> = {}, domain = HOME): WatchParty => ({
  address: { domain, user },
  rules: { ...NO_RULES, ...rules },
});
const tenant = (more: Partial<TenantWatch>): TenantWatch => ({ ...DEFAULT_WATCH, ...more });
const watch = (more: Partial<UserWatch>): Partial<WatchRules> => ({ watch: { ...DEFAULT_USER_WATCH, ...more } });
const SALES = { groups: ['sales'] };

const WATCHER = party('1001', SALES);
const decide = (presentity: WatchParty, policy: Partial<TenantWatch> = {}, watcher = WATCHER, isAgreed = true) =>
  decideAccess(watcher, presentity, tenant(policy), isAgreed);

describe('what a tenant lets its people do', () => {
  it('shows everyone everything by default', () => {
    expect(decide(party('1002'))).toBe('full');
  });

  it('sameGroup: those who share a group, whichever of several', () => {
    const policy = { default: 'sameGroup' } as const;
    expect(decide(party('1002', { groups: ['support', 'sales'] }), policy)).toBe('full');
    expect(decide(party('1002', { groups: ['support'] }), policy)).toBe('blocked');
    expect(decide(party('1002'), policy)).toBe('blocked');
  });

  it('listed: those whom a user allows; with confirm the others may ask', () => {
    const policy = { default: 'listed' } as const;
    expect(decide(party('1002', watch({ allow: ['1001'] })), policy)).toBe('full');
    expect(decide(party('1002', watch({ allow: ['1003'] })), policy)).toBe('blocked');
    expect(decide(party('1002', watch({ confirm: true })), policy)).toBe('pending');
    expect(decide(party('1002'), policy)).toBe('blocked');
  });

  it('nobody: not even those whom a user allows, and no name answers otherwise than another', () => {
    const policy = { default: 'nobody' } as const;
    for (const rules of [watch({ allow: ['1001'] }), watch({ politeBlock: ['1001'] }), watch({ confirm: true }), SALES])
      expect(decide(party('1002', rules), policy)).toBe('blocked');
    expect(decide(party('nobody-has-this-name'), policy)).toBe('blocked');
  });

  it('always shows oneself and publishers everything', () => {
    for (const byDefault of WATCH_DEFAULTS) {
      const rules = watch({ block: ['1001', 'pbx'], redact: { everyone: 'stateOnly' } });
      expect(decide(party('1001', rules), { default: byDefault })).toBe('full');
      const publisher = party('pbx', { isPublisher: true });
      expect(decide(party('1002', rules), { default: byDefault }, publisher)).toBe('full');
    }
  });
});

describe('what a user says', () => {
  it.each([
    ['1001', 'a name of the own tenant'],
    ['sip:1001@demo.example', 'an AOR'],
    ['SIP:1001@DEMO.example', 'an AOR in other letters'],
    ['group:sales', 'a group'],
    ['@demo.example', 'a tenant'],
    ['@Demo.Example', 'a tenant in other letters'],
  ])('names a watcher by %s: %s', (entry) => {
    expect(decide(party('1002', watch({ block: [entry] })))).toBe('blocked');
    expect(decide(party('1002', watch({ politeBlock: [entry] })))).toBe('polite');
    expect(decide(party('1002', watch({ allow: [entry], confirm: true })))).toBe('full');
  });

  it.each(['1002', 'sip:1001@acme.example', 'group:support', '@acme.example', 'sip:', 'group:', '@', '100'])(
    'does not mean this watcher by %s',
    (entry) => {
      expect(decide(party('1002', watch({ block: [entry], politeBlock: [entry] })))).toBe('full');
    },
  );

  it('goes by the watcher itself before its group, and by block before polite block before allow', () => {
    expect(decide(party('1002', watch({ allow: ['1001'], block: ['group:sales'] })))).toBe('full');
    expect(decide(party('1002', watch({ allow: ['group:sales'], block: ['1001'] })))).toBe('blocked');
    expect(decide(party('1002', watch({ allow: ['1001'], block: ['1001'], politeBlock: ['1001'] })))).toBe('blocked');
    expect(decide(party('1002', watch({ allow: ['1001'], politeBlock: ['1001'] })))).toBe('polite');
    expect(decide(party('1002', watch({ allow: ['@demo.example'], politeBlock: ['group:sales'] })))).toBe('polite');
  });

  it('lets those wait whom nothing names, if it confirms', () => {
    expect(decide(party('1002', watch({ confirm: true })))).toBe('pending');
    const inGroup = { ...watch({ confirm: true }), ...SALES };
    expect(decide(party('1002', inGroup), { default: 'sameGroup' })).toBe('pending');
    expect(decide(party('1002', watch({ confirm: true })), { default: 'sameGroup' })).toBe('blocked');
  });
});

describe('what is withheld', () => {
  it('goes by class: the class before everyone, the user before the tenant', () => {
    const redact = { everyone: 'identities', outsideGroup: 'stateOnly' } as const;
    expect(decide(party('1002', SALES), { redact })).toBe('redacted');
    expect(decide(party('1002'), { redact })).toBe('stateOnly');
    expect(decide(party('1002', watch({ redact: { everyone: 'none' } })), { redact })).toBe('full');
    expect(decide(party('1002', watch({ redact: { outsideGroup: 'identities' } })), { redact })).toBe('redacted');
    expect(decide(party('1002', watch({ allow: ['1001'] })), { redact })).toBe('stateOnly');
  });
});

describe('another tenant', () => {
  const foreigner = party('7', SALES, 'acme.example');

  it('sees nothing without agreement, whatever a user says', () => {
    expect(decide(party('1002', watch({ allow: ['@acme.example'] })), {}, foreigner, false)).toBe('blocked');
  });

  it('sees no identities unless it is said, and is in nobody’s group', () => {
    expect(decide(party('1002', SALES), {}, foreigner)).toBe('redacted');
    expect(decide(party('1002'), { redact: { federated: 'none' } }, foreigner)).toBe('full');
    expect(decide(party('1002'), { redact: { everyone: 'stateOnly' } }, foreigner)).toBe('redacted');
    expect(decide(party('1002', watch({ redact: { federated: 'stateOnly' } })), {}, foreigner)).toBe('stateOnly');
    expect(decide(party('1002', SALES), { default: 'sameGroup' }, foreigner)).toBe('blocked');
    expect(decide(party('1002', watch({ block: ['group:sales'] })), {}, foreigner)).toBe('redacted');
    const publisher = { ...foreigner, rules: { ...NO_RULES, isPublisher: true } };
    expect(decide(party('1002'), { default: 'listed' }, publisher)).toBe('blocked');
  });

  it('is meant by its AOR, not by its user name alone', () => {
    expect(decide(party('1002', watch({ block: ['7'] })), {}, foreigner)).toBe('redacted');
    expect(decide(party('1002', watch({ block: ['sip:7@acme.example'] })), {}, foreigner)).toBe('blocked');
    expect(decide(party('1002', watch({ politeBlock: ['@acme.example'] })), {}, foreigner)).toBe('polite');
    const sameName = party('1002', {}, 'acme.example');
    expect(decide(party('1002'), {}, sameName)).toBe('redacted');
  });

  it('is agreed with only when both name each other', () => {
    const side = (domain: string, federation: string[]) => ({ domain, watch: tenant({ federation }) });
    expect(areFederated(side('a', ['b']), side('b', ['a']))).toBe(true);
    expect(areFederated(side('a', ['b']), side('b', []))).toBe(false);
    expect(areFederated(side('a', []), side('b', ['a']))).toBe(false);
    expect(areFederated(side('a', ['b']), undefined)).toBe(false);
    expect(areFederated(side('a', ['*']), side('b', ['*']))).toBe(false);
  });
});

describe('publishers', () => {
  const rules = [{ publisher: 'pbx', for: ['1002', 'group:sales'] }];

  it('serve everyone by default, else only whom they are given', () => {
    expect(mayPublisherServe('any', party('1002'), DEFAULT_WATCH)).toBe(true);
    const limited = tenant({ publishers: rules });
    expect(mayPublisherServe('pbx', party('1002'), limited)).toBe(true);
    expect(mayPublisherServe('pbx', party('1003', SALES), limited)).toBe(true);
    expect(mayPublisherServe('pbx', party('1003'), limited)).toBe(false);
    expect(mayPublisherServe('other', party('1002'), limited)).toBe(false);
    expect([servesByGroup(limited), servesByGroup(DEFAULT_WATCH)]).toEqual([true, false]);
  });
});

describe('properties', () => {
  const name = fc.constantFrom('1001', '1002', '1003');
  const group = fc.constantFrom('sales', 'support');
  const groups = fc.uniqueArray(group);
  const entry = fc.oneof(
    name,
    name.map((user) => `sip:${user}@acme.example`),
    group.map((each) => `group:${each}`),
    fc.constantFrom('@acme.example', '@demo.example'),
  );
  const redaction = fc.option(fc.constantFrom(...REDACTIONS), { nil: undefined });
  const redact = fc.record({ everyone: redaction, outsideGroup: redaction, federated: redaction });
  const entries = fc.array(entry, { maxLength: 3 });
  const userWatch = fc.record({ allow: entries, block: entries, politeBlock: entries, confirm: fc.boolean(), redact });
  const address: fc.Arbitrary<Address> = fc.record({ user: name, domain: fc.constantFrom(HOME, 'acme.example') });
  const anyParty = (where: fc.Arbitrary<Address>): fc.Arbitrary<WatchParty> =>
    fc.record({ address: where, rules: fc.record({ groups, watch: userWatch, isPublisher: fc.boolean() }) });
  const presentity = anyParty(name.map((user) => ({ user, domain: HOME })));
  const policy = fc.record({ default: fc.constantFrom(...WATCH_DEFAULTS), redact });

  it('tenants where everyone sees all need no accounts read: without rules of users all is full', () => {
    const plain = presentity.map((each) => ({ ...each, rules: { ...each.rules, watch: DEFAULT_USER_WATCH } }));
    const own = anyParty(name.map((user) => ({ user, domain: HOME })));
    void fc.assert(
      fc.property(own, plain, policy, (watcher, watched, given) => {
        fc.pre(isOpen(tenant(given)));
        expect(decideAccess(watcher, watched, tenant(given), true)).toBe('full');
      }),
    );
  });

  it('groups count only where it says that they do', () => {
    void fc.assert(
      fc.property(anyParty(address), presentity, policy, groups, (watcher, watched, given, others) => {
        const plain = { ...watched, rules: { ...watched.rules, watch: DEFAULT_USER_WATCH } };
        fc.pre(!dependsOnGroups(tenant(given), false));
        const moved = { ...watcher, rules: { ...watcher.rules, groups: others } };
        expect(decideAccess(moved, plain, tenant(given), true)).toBe(decideAccess(watcher, plain, tenant(given), true));
      }),
    );
  });

  it('one block more never shows more, one allowance more never less', () => {
    const shown = ['blocked', 'polite', 'pending', 'stateOnly', 'redacted', 'full'];
    const rankOf = (watcher: WatchParty, watched: WatchParty, given: Partial<TenantWatch>) =>
      shown.indexOf(decideAccess(watcher, watched, tenant(given), true));
    void fc.assert(
      fc.property(anyParty(address), presentity, policy, entry, (watcher, watched, given, more) => {
        const withMore = (list: 'allow' | 'block'): WatchParty => ({
          ...watched,
          rules: { ...watched.rules, watch: { ...watched.rules.watch, [list]: [...watched.rules.watch[list], more] } },
        });
        const before = rankOf(watcher, watched, given);
        expect(rankOf(watcher, withMore('block'), given)).toBeLessThanOrEqual(before);
        // An allowance for the watcher itself overrules what is said of its group, so it may only open.
        expect(rankOf(watcher, withMore('allow'), given)).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  it('a name without an account is blocked where others are: a default that restricts does not say who exists', () => {
    const restricted = policy.filter((given) => given.default !== 'everyone');
    const silent = fc.record({ address: fc.constant({ user: '1009', domain: HOME }), rules: fc.record({ groups }) });
    void fc.assert(
      fc.property(anyParty(address), silent, restricted, (watcher, { address: named, rules }, given) => {
        const existing = party(named.user, rules);
        const isShared = rules.groups.some((each) => watcher.rules.groups.includes(each));
        fc.pre(!isShared);
        expect(decideAccess(watcher, existing, tenant(given), true)).toBe(
          decideAccess(watcher, party('1009'), tenant(given), true),
        );
        const isOwn = watcher.rules.isPublisher && watcher.address.domain === HOME;
        if (!isOwn) expect(decideAccess(watcher, party('1009'), tenant(given), true)).toBe('blocked');
      }),
    );
  });
});
