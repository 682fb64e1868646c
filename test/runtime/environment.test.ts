import { describe, expect, it } from 'vitest';
import { readEnvironment } from '#runtime/environment.ts';

describe('readEnvironment', () => {
  it('needs no more than a table on one machine', () => {
    expect(readEnvironment({ TABLE_NAME: 't' })).toEqual({
      tableName: 't',
      dynamoDbEndpoint: undefined,
      nonceSecret: undefined,
      instructionSecret: undefined,
      adminSecret: undefined,
      vaultSecret: undefined,
      expireLoopSeconds: 0,
      apiOrigins: [],
      expireLagSeconds: 0,
      regionRole: 'only',
      historyHours: 24,
      logLevel: 'info',
    });
  });

  it('reads what the local stack sets', () => {
    const environment = readEnvironment({
      TABLE_NAME: 't',
      DYNAMODB_ENDPOINT: 'http://127.0.0.1:8000',
      NONCE_SECRET: 'n',
      INSTRUCTION_SECRET: 'i',
      API_ORIGINS: 'http://127.0.0.1:8080,https://portal.example',
      EXPIRE_LOOP_SECONDS: '58',
      LOG_LEVEL: 'warn',
    });
    expect(environment).toMatchObject({
      dynamoDbEndpoint: 'http://127.0.0.1:8000',
      nonceSecret: { kind: 'text', value: 'n' },
      instructionSecret: { kind: 'text', value: 'i' },
      apiOrigins: ['http://127.0.0.1:8080', 'https://portal.example'],
      expireLoopSeconds: 58,
      logLevel: 'warn',
    });
  });

  it('reads where a secret is on AWS', () => {
    const { nonceSecret } = readEnvironment({ TABLE_NAME: 't', NONCE_SECRET_ARN: 'arn:1' });
    expect(nonceSecret).toEqual({ kind: 'arn', arn: 'arn:1' });
  });

  it.each([
    [{}, 'TABLE_NAME'],
    [{ TABLE_NAME: '' }, 'TABLE_NAME'],
    [{ TABLE_NAME: 't', DYNAMODB_ENDPOINT: 'here' }, 'DYNAMODB_ENDPOINT'],
    [{ TABLE_NAME: 't', LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
    [{ TABLE_NAME: 't', EXPIRE_LOOP_SECONDS: 'long' }, 'EXPIRE_LOOP_SECONDS'],
    [{ TABLE_NAME: 't', REGION_ROLE: 'second' }, 'REGION_ROLE'],
  ])('names what is wrong in %j', (source, name) => {
    expect(() => readEnvironment(source)).toThrow(name);
  });
});
