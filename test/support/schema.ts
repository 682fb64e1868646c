/** Checks documents against the schemas of test/vectors/schemas with xmllint (Debian: libxml2-utils). */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const SCHEMAS = path.resolve(import.meta.dirname, '../vectors/schemas');
const VALIDATES = / validates$/;

/**
 * One run of xmllint for all documents.
 * @param schema such as `pidf`
 * @returns what is wrong, nothing when every document is valid
 * @throws when xmllint cannot be run
 */
export function schemaProblems(schema: string, documents: readonly string[]): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'lampfield-schema-'));
  try {
    const files = documents.map((_, index) => path.join(folder, `${index}.xml`));
    files.forEach((file, index) => {
      writeFileSync(file, documents[index] ?? '');
    });
    const args = ['--nonet', '--noout', '--schema', path.join(SCHEMAS, `${schema}.xsd`), ...files];
    const { error, stderr } = spawnSync('xmllint', args, { encoding: 'utf8' });
    if (error) throw new Error(`xmllint is needed: apt-get install libxml2-utils (${error.message})`);
    return stderr.split('\n').filter((line) => line !== '' && !VALIDATES.test(line));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
