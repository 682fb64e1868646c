/**
 * Checks what this machine must have, to `start` the system or to `test` it (the first argument); as root on Debian or
 * Ubuntu installs what is missing.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { installedJavaRelease, LEAST_JAVA_RELEASE } from './java.ts';

interface Prerequisite {
  readonly what: string;
  /** Debian packages, the first that installs wins. */
  readonly packages: readonly string[];
  readonly onlyTests: boolean;
  present(): boolean;
}

const PREREQUISITES: readonly Prerequisite[] = [
  {
    what: `Java ${LEAST_JAVA_RELEASE} or newer, for DynamoDB Local`,
    packages: ['openjdk-17-jre-headless', 'default-jre-headless'],
    onlyTests: false,
    present: () => (installedJavaRelease() ?? 0) >= LEAST_JAVA_RELEASE,
  },
  {
    what: 'Chromium, for the tests of the panel',
    packages: ['chromium', 'chromium-browser'],
    onlyTests: true,
    present: () => chromiumPath() !== undefined,
  },
  {
    what: 'xmllint, for the tests of documents against their schemas',
    packages: ['libxml2-utils'],
    onlyTests: true,
    present: () => findOnPath(['xmllint']) !== undefined,
  },
  {
    what: 'SIPp, for the tests of trunks',
    packages: ['sip-tester'],
    onlyTests: true,
    present: () => findOnPath(['sipp']) !== undefined,
  },
  {
    what: 'Kamailio, for the tests of trunks',
    packages: ['kamailio'],
    onlyTests: true,
    present: () => findOnPath(['kamailio']) !== undefined,
  },
  {
    what: "Kamailio's TLS module, for the tests of trunks",
    packages: ['kamailio-tls-modules'],
    onlyTests: true,
    present: () => kamailioModules() !== undefined,
  },
];

/** The folder of Kamailio's modules, TLS among them. */
export function kamailioModules(): string | undefined {
  const folders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/local/lib64'];
  return folders.map((folder) => `${folder}/kamailio/modules`).find((folder) => existsSync(`${folder}/tls.so`));
}

/** Where Chromium or Chrome stands; `CHROMIUM` names another place. */
export function chromiumPath(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  return process.env.CHROMIUM ?? findOnPath(names);
}

export function findOnPath(names: readonly string[]): string | undefined {
  // Servers stand where only root looks.
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function installMissing(missing: readonly Prerequisite[]): void {
  const aptGet = (...args: string[]) =>
    spawnSync('apt-get', args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  aptGet('update', '-qq');
  for (const { packages } of missing) {
    packages.some((name) => aptGet('install', '-y', '-qq', '--no-install-recommends', name));
  }
}

function main(): void {
  const mayInstall = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  const isStart = process.argv[2] === 'start';
  const missing = PREREQUISITES.filter((one) => !(isStart && one.onlyTests) && !one.present());
  if (missing.length > 0 && mayInstall) installMissing(missing);
  const still = missing.filter((one) => !one.present());
  if (still.length === 0) return;
  for (const { what } of still) console.error(`Missing: ${what}`);
  console.error(`On Debian or Ubuntu:  sudo apt-get install ${still.map(({ packages }) => packages[0]).join(' ')}`);
  process.exitCode = 1;
}

if (import.meta.main) main();
