/** The files of the panel and of its console for operators, each with what its page may load and reach. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

export interface PanelFile {
  readonly type: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.map': 'application/json',
};

/** Folder of the console, and its place. */
const CONSOLE = 'admin';

const policy = (connectSources: string, formAction: string, more = ''): string =>
  `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src ${connectSources}; base-uri 'none'; form-action ${formAction}; frame-ancestors 'none'${more}`;

const headersWith = (contentSecurityPolicy: string) => ({
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
});

const PANEL_HEADERS = headersWith(policy("'self' ws: wss:", "'self'"));

/** For what may carry credentials. */
export const NOT_KEPT = { ...PANEL_HEADERS, 'cache-control': 'no-store' } as const;

/** The console holds a key of the HTTP API: it reaches that and nothing else, and no text becomes markup or script there. */
const consoleHeaders = (apiUrl: string | undefined) => {
  const sources = apiUrl === undefined ? "'self'" : `'self' ${new URL(apiUrl).origin}`;
  return headersWith(policy(sources, "'none'", "; require-trusted-types-for 'script'; trusted-types 'none'"));
};

/**
 * Reads all files once; they are small and the same for everybody.
 * @param apiUrl where the console finds the HTTP API
 */
export function loadPanel(directory: string | undefined, apiUrl: string | undefined): ReadonlyMap<string, PanelFile> {
  if (directory === undefined) return new Map();
  return new Map([
    ...filesOf(directory, '', PANEL_HEADERS),
    ...filesOf(join(directory, CONSOLE), `/${CONSOLE}`, consoleHeaders(apiUrl)),
  ]);
}

function filesOf(directory: string, place: string, headers: PanelFile['headers']): (readonly [string, PanelFile])[] {
  const names = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  return names.flatMap(({ name }) => {
    const type = CONTENT_TYPES[extname(name)];
    if (type === undefined) return [];
    const file = { type, body: readFileSync(join(directory, name)), headers };
    const paths = name === 'index.html' ? [`${place}/${name}`, `${place}/`, place] : [`${place}/${name}`];
    return paths.filter((path) => path !== '').map((path) => [path, file] as const);
  });
}
