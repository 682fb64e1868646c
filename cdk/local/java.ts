/** Finds out whether the Java that DynamoDB Local needs is there. */
import { spawnSync } from 'node:child_process';

/** DynamoDB Local 3 is built for this release. */
export const LEAST_JAVA_RELEASE = 17;

/** Release number of `java` on the path (`1.8` counts as 8); `undefined` when there is none. */
export function installedJavaRelease(): number | undefined {
  const run = spawnSync('java', ['-version'], { encoding: 'utf8' });
  return run.error === undefined ? parseJavaRelease(run.stderr + run.stdout) : undefined;
}

/** Reads the release out of what `java -version` prints. */
export function parseJavaRelease(text: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** What to tell a person whose Java is missing or too old; `undefined` when all is well. */
export function javaProblem(release: number | undefined = installedJavaRelease()): string | undefined {
  if (release !== undefined && release >= LEAST_JAVA_RELEASE) return undefined;
  const found = release === undefined ? 'no java was found on the path' : `java ${release} is too old`;
  return [
    `DynamoDB Local needs Java ${LEAST_JAVA_RELEASE} or newer, and ${found}.`,
    '  Debian, Ubuntu:  sudo apt-get install openjdk-17-jre-headless',
    '  Fedora:          sudo dnf install java-17-openjdk-headless',
    '  macOS:           brew install openjdk@17',
  ].join('\n');
}
