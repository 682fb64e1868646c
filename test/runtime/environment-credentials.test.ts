import { expect, it } from 'vitest';
import { credentialsOf, defaultProvider } from '#runtime/environment-credentials.ts';

const KEYS = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'secret' };

it('are those that Lambda sets, with the token of the role', () => {
  expect(credentialsOf({ ...KEYS, AWS_SESSION_TOKEN: 'token' })).toEqual({
    ...{ accessKeyId: 'AKIA', secretAccessKey: 'secret', sessionToken: 'token' },
  });
  expect(credentialsOf({ ...KEYS, AWS_SESSION_TOKEN: '' })).toEqual({ accessKeyId: 'AKIA', secretAccessKey: 'secret' });
});

it('say which variables are missing, when they are asked for', async () => {
  expect(() => credentialsOf({ AWS_ACCESS_KEY_ID: 'AKIA' })).toThrow('AWS_SECRET_ACCESS_KEY');
  expect(defaultProvider()).toBeTypeOf('function');
});
