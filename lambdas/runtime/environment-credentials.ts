/**
 * Credentials as Lambda gives them to a function: in its environment. The build puts this in the place of the SDK's chain
 * of providers (@aws-sdk/credential-provider-node), a quarter of every bundle that a function never uses.
 */
export interface EnvironmentCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Has the name and the shape that the SDK's clients import. @throws Error, from the provider, when there are none */
export const defaultProvider = (): (() => Promise<EnvironmentCredentials>) => async () => credentialsOf(process.env);

/** @throws Error that names the missing variables */
export function credentialsOf(environment: Readonly<Record<string, string | undefined>>): EnvironmentCredentials {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY)
    throw new Error('A function needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; Lambda sets them');
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  return AWS_SESSION_TOKEN ? { ...credentials, sessionToken: AWS_SESSION_TOKEN } : credentials;
}
