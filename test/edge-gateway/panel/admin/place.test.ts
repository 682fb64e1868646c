import { describe, expect, test } from 'vitest';
import { hrefOf, type Place, readPlace } from '#gateway/panel/admin/place.ts';

describe('places', () => {
  test.each<[Place, string]>([
    [{ kind: 'tenants' }, '#/tenants'],
    [{ kind: 'keys' }, '#/keys'],
    [{ kind: 'audit' }, '#/audit'],
    [{ kind: 'tenant', domain: 'a.example', tab: 'users' }, '#/tenants/a.example/users'],
    [{ kind: 'tenant', domain: 'a.example', tab: 'lamps', user: '+49/1?' }, '#/tenants/a.example/lamps/%2B49%2F1%3F'],
  ])('%j is %s, and back', (place, href) => {
    expect(hrefOf(place)).toBe(href);
    expect(readPlace(href)).toEqual(place);
  });

  test.each([
    ['', { kind: 'tenants' }],
    ['#/nowhere', { kind: 'tenants' }],
    ['#/tenants/', { kind: 'tenants' }],
    ['#/tenants/%E0%A4%A', { kind: 'tenants' }],
    ['#/tenants/a.example', { kind: 'tenant', domain: 'a.example', tab: 'lamps' }],
    ['#/tenants/a.example/nothing/1001', { kind: 'tenant', domain: 'a.example', tab: 'lamps' }],
    ['#/tenants/a.example/users/1001', { kind: 'tenant', domain: 'a.example', tab: 'users' }],
  ])('%s leads somewhere', (href, place) => {
    expect(readPlace(href)).toEqual(place);
  });
});
