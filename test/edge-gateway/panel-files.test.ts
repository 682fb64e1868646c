import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadPanel } from '#gateway/panel-files.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'lampfield-panel-'));
mkdirSync(path.join(folder, 'admin'));
for (const name of ['index.html', 'panel.js', 'notes.txt', 'admin/index.html', 'admin/admin.js'])
  writeFileSync(path.join(folder, name), name);
afterAll(() => rmSync(folder, { recursive: true }));

const policyOf = (place: string, apiUrl?: string) =>
  loadPanel(folder, apiUrl).get(place)?.headers['content-security-policy'] ?? '';

describe('files of the panel', () => {
  test('pages stand at their folder, with and without a slash; what has no known type is not served', () => {
    expect([...loadPanel(folder, undefined).keys()].sort()).toEqual([
      ...['/', '/admin', '/admin/', '/admin/admin.js', '/admin/index.html', '/index.html', '/panel.js'],
    ]);
    expect(loadPanel(folder, undefined).get('/admin')?.body.toString()).toBe('admin/index.html');
  });

  test('the console reaches the gateway and the HTTP API, no other origin and no WebSocket', () => {
    expect(policyOf('/admin', 'https://api.example/prod/v1')).toContain("connect-src 'self' https://api.example;");
    expect(policyOf('/admin')).toContain("connect-src 'self';");
    expect(policyOf('/')).toContain("connect-src 'self' ws: wss:;");
  });

  test('on both pages only own scripts and styles run, and nobody frames them', () => {
    for (const place of ['/', '/admin', '/admin/admin.js']) {
      const policy = policyOf(place, 'https://api.example/v1');
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe');
    }
  });

  test('no folder, no files', () => {
    expect(loadPanel(undefined, undefined).size).toBe(0);
  });
});
