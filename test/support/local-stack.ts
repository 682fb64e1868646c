/** The whole local stack as `npm start` runs it, on free ports, for one test file or bench. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, freePortRange } from './ports.ts';
import { VAULT_KEY } from './secrets.ts';

const MAIN = path.resolve(import.meta.dirname, '../../cdk/local/main.ts');
const READY_WITHIN_MS = 60_000;

export interface LocalStack {
  /** WebSocket URL of a gateway, counted from 0. */
  url(index?: number): string;
  httpUrl(index?: number): string;
  /** Port where trunks reach a gateway over TCP. */
  trunkPort(index?: number): number;
  readonly dynamoDbEndpoint: string;
  readonly lambdaEndpoint: string;
  /** HTTP API, with `/v1`. */
  readonly apiUrl: string;
  /** Process ids by name: gateway-1 and so on, functions, streams, scheduler, dynamodb. Follows restarts. */
  readonly pids: Readonly<Record<string, number>>;
  readonly supervisorPid: number;
  /** What a process has written to its log so far. */
  logOf(name: string): string;
  /** What the supervisor has printed so far. */
  output(): string;
  kill(name: string, signal?: NodeJS.Signals): void;
  /** Resolves when the process with this name has been started once more. */
  restarted(name: string): Promise<void>;
  /** Stops everything as Ctrl-C does. */
  stop(): Promise<void>;
}

export interface StackOptions {
  readonly gateways?: number;
  /** Trunk of demo.example, as for `npm start -- --trunk`; without it there are no listeners for trunks. */
  readonly trunk?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

type SupervisorMessage = { kind: 'started'; name: string; pid: number } | { kind: 'ready' };

/** Starts the stack from dist/ and waits until it is ready. @throws with the supervisor's words when it ends instead */
export async function startStack(options: StackOptions = {}): Promise<LocalStack> {
  const gateways = options.gateways ?? 1;
  const port = await freePortRange(gateways);
  const [dynamodbPort, lambdaPort, apiPort] = [await freePort(), await freePort(), await freePort()];
  const trunkPort = options.trunk === undefined ? 0 : await freePortRange(gateways);
  const ports = {
    ...{ PORT: port, GATEWAYS: gateways, DYNAMODB_PORT: dynamodbPort },
    ...{ LAMBDA_PORT: lambdaPort, API_PORT: apiPort, TRUNK_PORT: trunkPort },
  };
  const trunk = options.trunk === undefined ? {} : { TRUNK: options.trunk };
  const env = Object.fromEntries(Object.entries({ ...ports, ...trunk }).map(([name, value]) => [name, String(value)]));
  const supervisor = fork(MAIN, options.args ?? [], {
    env: { ...process.env, VAULT_SECRET: VAULT_KEY, ...env, ...options.env },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const pids: Record<string, number> = {};
  const ready = Promise.withResolvers<void>();
  let output = '';
  for (const stream of [supervisor.stdout, supervisor.stderr]) stream?.on('data', (text) => (output += text));
  supervisor.on('message', (message: SupervisorMessage) => {
    if (message.kind === 'started') pids[message.name] = message.pid;
    else ready.resolve();
  });
  supervisor.once('exit', (code, signal) => {
    output += `\nThe supervisor ended with ${code ?? signal}.`;
  });
  supervisor.once('exit', (code) => ready.reject(new Error(`the local stack ended with code ${code}: ${output}`)));
  const timer = setTimeout(() => ready.reject(new Error(`the local stack is not ready: ${output}`)), READY_WITHIN_MS);
  await ready.promise.finally(() => clearTimeout(timer));

  return {
    url: (index = 0) => `ws://127.0.0.1:${port + index}/`,
    httpUrl: (index = 0) => `http://127.0.0.1:${port + index}/`,
    trunkPort: (index = 0) => trunkPort + index,
    dynamoDbEndpoint: `http://127.0.0.1:${dynamodbPort}`,
    lambdaEndpoint: `http://127.0.0.1:${lambdaPort}`,
    apiUrl: `http://127.0.0.1:${apiPort}/v1`,
    pids,
    supervisorPid: supervisor.pid ?? 0,
    logOf: (name) => readFileSync(path.join(logFolderIn(output) ?? '', `${name}.log`), 'utf8'),
    output: () => output,
    kill(name, signal = 'SIGKILL') {
      const pid = pids[name];
      if (pid === undefined) throw new Error(`no process ${name}; there are ${Object.keys(pids).join(', ')}`);
      try {
        process.kill(pid, signal);
      } catch (cause) {
        throw new Error(`${name} is not running. The local stack said:\n${output}`, { cause });
      }
    },
    async restarted(name) {
      const before = pids[name];
      while (pids[name] === before) await once(supervisor, 'message');
    },
    async stop() {
      if (supervisor.exitCode !== null || supervisor.signalCode !== null) return;
      const secrets = secretsInLogs(logFolderIn(output));
      supervisor.kill('SIGTERM');
      await once(supervisor, 'exit');
      if (secrets.length > 0) throw new Error(`secrets stand in the logs: ${secrets.join(', ')}`);
    },
  };
}

const logFolderIn = (output: string): string | undefined => /^ {2}Logs +(.+)$/m.exec(output)?.[1];

/** Every stack of every test is looked through: passwords of seeded users, credentials on the wire, tokens, keys, webhooks. */
const SECRETS = new RegExp(
  String.raw`\b(?:demo|acme|keep|p4ssw0rd)-(?:10\d\d|pbx)\b|Digest username=|\beyJ[\w-]+\.eyJ|\blf_[0-9a-f]{12}_|whsec_|s3cret-of-the-address|${VAULT_KEY}`,
);

function secretsInLogs(folder: string | undefined): string[] {
  if (folder === undefined || !existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const found = SECRETS.exec(readFileSync(path.join(folder, name), 'utf8'));
    return found === null ? [] : [`${name}: ${found[0].slice(0, 24)}`];
  });
}
