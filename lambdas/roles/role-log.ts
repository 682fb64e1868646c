/** Log port of the roles that work in the background, where no answer tells what went wrong. */
export interface RoleLog {
  log(level: 'debug' | 'info' | 'warn' | 'error', hop: string, fields: Readonly<Record<string, unknown>>): void;
}

/** What is worth logging of an error that the role goes on after. */
export function failureFields(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: String(error) };
  const { name, message, cause } = error;
  return { error: name, message, cause: cause instanceof Error ? `${cause.name}: ${cause.message}` : undefined };
}
