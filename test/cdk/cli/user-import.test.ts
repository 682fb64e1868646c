import { describe, expect, it } from 'vitest';
import { ApiClient, type RequestOptions } from '#cdk/cli/api-client.ts';
import { CliFailure, EXIT } from '#cdk/cli/failure.ts';
import { importUsers } from '#cdk/cli/import/user-import.ts';

const refused = (status: number): CliFailure =>
  new CliFailure(`refused (${status})`, { exitCode: EXIT.refused, status });
const gone = (): CliFailure => new CliFailure('cannot reach it', { exitCode: EXIT.unreachable });
const row = (line: number, user: string) => ({ line, user, role: 'user' as const, displayName: `Person ${user}` });

/** An API that answers from a table of its own. */
class TestApi extends ApiClient {
  readonly asked: string[] = [];
  readonly bodies: unknown[] = [];
  readonly answers: Record<string, (() => unknown)[]>;

  constructor(answers: Record<string, (() => unknown)[]>) {
    super({ url: 'http://127.0.0.1/v1', key: 'k' });
    this.answers = answers;
  }

  override async request<T>(method: string, where: string, options: RequestOptions = {}) {
    const name = `${method} ${where.split('/').at(-1)}`;
    this.asked.push(options.ifNoneMatch === undefined ? name : `${name} if none`);
    if (method === 'PUT') this.bodies.push(options.body);
    const answer = this.answers[name]?.shift();
    if (answer === undefined) throw new Error(`${name} was not expected`);
    return { status: 200, etag: '"1"', body: answer() as T };
  }
}

const fails = (error: Error) => (): never => {
  throw error;
};

async function runImport(api: ApiClient, users: readonly string[]) {
  const kept = new Map<string, string>();
  const ports = {
    api,
    tenant: 'a.example',
    keepPassword: (user: string, password: string) => void kept.set(user, password),
  };
  const rows = users.map((user, index) => row(index + 2, user));
  const report = await importUsers({ ...ports, tell: () => undefined }, rows, {
    width: 1,
    signal: new AbortController(),
  });
  return { report, kept };
}

describe('import of users', () => {
  it('keeps the password of a user whose creation was answered on the second try only', async () => {
    const api = new TestApi({
      'GET 1001': [fails(refused(404))],
      // The client had repeated it; the first one had been done.
      'PUT 1001': [fails(refused(412)), () => ({})],
    });
    const { report, kept } = await runImport(api, ['1001']);
    expect(report).toEqual({ created: 1, updated: 0, unchanged: 0, failures: [], left: 0 });
    expect(api.asked).toEqual(['GET 1001', 'PUT 1001 if none', 'PUT 1001']);
    expect(api.bodies.at(-1)).toEqual({ displayName: 'Person 1001', password: kept.get('1001') });
  });

  it('leaves alone who is as the file says, and gives nobody who is there another password', async () => {
    const api = new TestApi({
      'GET 1001': [() => ({ user: '1001', role: 'user', displayName: 'Person 1001', groups: ['a'] })],
      'GET 1002': [() => ({ user: '1002', role: 'user', groups: ['a'] })],
      'PUT 1002': [() => ({})],
    });
    const { report, kept } = await runImport(api, ['1001', '1002']);
    expect(report).toMatchObject({ created: 0, updated: 1, unchanged: 1 });
    expect(api.bodies).toEqual([{ displayName: 'Person 1002', groups: ['a'] }]);
    expect(kept.size).toBe(0);
  });

  it('goes on after a line that is refused, and stops when nobody is there', async () => {
    const api = new TestApi({
      'GET 1001': [fails(refused(404))],
      'PUT 1001': [fails(refused(400))],
      'GET 1002': [fails(gone())],
    });
    const { report } = await runImport(api, ['1001', '1002', '1003']);
    expect(report).toMatchObject({ created: 0, left: 1, hindrance: { message: 'cannot reach it' } });
    expect(report.failures.map(({ line, problem }) => [line, problem])).toEqual([
      [2, 'refused (400)'],
      [3, 'cannot reach it'],
    ]);
  });
});
