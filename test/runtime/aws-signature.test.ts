import { describe, expect, it } from 'vitest';
import { signRequest } from '#runtime/aws-signature.ts';

const ACCESS = {
  region: 'us-east-1',
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const AT = Date.UTC(2015, 7, 30, 12, 36, 0);

describe('AWS signature 4', () => {
  it('is that of the published case get-vanilla', () => {
    const request = {
      service: 'service',
      method: 'GET',
      path: '/',
      headers: { host: 'example.amazonaws.com' },
      body: '',
    };
    expect(signRequest(request, ACCESS, AT)).toEqual({
      host: 'example.amazonaws.com',
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ' +
        'SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    });
  });

  it('covers the session token and the body', () => {
    const sign = (body: string, sessionToken?: string) =>
      signRequest(
        { service: 's', method: 'POST', path: '/', headers: { host: 'h' }, body },
        { ...ACCESS, sessionToken },
        AT,
      );
    const signed = sign('{}', 'token');
    expect(signed).toMatchObject({ 'x-amz-security-token': 'token' });
    expect(signed.authorization).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token,');
    expect(sign('{}').authorization).not.toBe(sign('{ }').authorization);
  });
});
