/** Questions to the person at the terminal; without one, standard input answers or nothing does. */

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text as textOfStream } from 'node:stream/consumers';
import { refusal, usageFailure } from './failure.ts';

const MOST_SECRET_CHARACTERS = 4_096;

/** Asks on the terminal. @param isSecret what is typed is not shown */
export async function ask(question: string, isSecret = false): Promise<string> {
  let isMuted = false;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isMuted) process.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const answer = new Promise<string>((resolve, reject) => {
    lines.once('SIGINT', () => reject(refusal('stopped.')));
    lines.once('close', () => reject(usageFailure('there was no answer.')));
    lines.question(question, resolve);
  });
  isMuted = isSecret;
  try {
    return (await answer).trim();
  } finally {
    lines.close();
    if (isSecret) process.stderr.write('\n');
  }
}

/** A secret: typed unseen at the terminal, or the first line of standard input. @throws {CliFailure} when it is empty */
export async function askSecret(name: string): Promise<string> {
  const given = process.stdin.isTTY
    ? await ask(`${name}: `, true)
    : ((await textOfStream(process.stdin)).split('\n')[0] ?? '');
  const secret = given.trim();
  if (secret !== '' && secret.length <= MOST_SECRET_CHARACTERS) return secret;
  throw usageFailure(`the ${name.toLowerCase()} is empty.`, 'Type it when asked, or send it to standard input.');
}

/** @throws {CliFailure} unless the person types the name of what will be gone */
export async function confirmByName(what: string, name: string, isSure: boolean | undefined): Promise<void> {
  if (isSure === true) return;
  if (!process.stdin.isTTY) throw usageFailure(`${what} needs your word.`, 'Add --yes.');
  const typed = await ask(`${what}. Type ${name} to go on: `);
  if (typed !== name) throw refusal('not done: the name is another one.');
}
