import { createConfig, lintFromString } from '@redocly/openapi-core';
import { describe, expect, it } from 'vitest';
import { openApiRig } from '#test/support/api-rig.ts';

describe('the description of the API', () => {
  it('is served without a key, and has no fault that the linter finds', async () => {
    const { status, headers, text, body } = await openApiRig().ask('GET', '/v1/openapi.json', { key: '' });
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(body.openapi).toBe('3.1.0');
    const config = await createConfig({ extends: ['recommended'], rules: {} });
    const problems = await lintFromString({ source: text, config });
    expect(problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`)).toEqual(
      [],
    );
  });
});
