/** Ends child processes when their parent dies without a chance to do it itself (kill -9, crash). */
import { type ChildProcess, spawn } from 'node:child_process';

/** Each line names all living children; the end of the input means that the parent is gone. */
const SCRIPT = 'while read -r line; do pids="$line"; done; for pid in $pids; do kill -9 "$pid"; done 2>/dev/null';

export interface ProcessGuard {
  watch(child: ChildProcess): void;
  /** Ends the guard itself; what is watched and still lives is killed. */
  stop(): void;
}

export function startProcessGuard(): ProcessGuard {
  const guard = spawn('sh', ['-c', SCRIPT, 'lampfield-guard'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.unref();
  guard.stdin.on('error', () => {}); // The guard may be gone first when everything is killed at once.
  const living = new Set<number>();
  const tell = () => guard.stdin.writable && guard.stdin.write(`${[...living].join(' ')}\n`);
  return {
    watch(child) {
      const { pid } = child;
      if (pid === undefined) return;
      living.add(pid);
      tell();
      child.once('exit', () => {
        living.delete(pid);
        tell();
      });
    },
    stop: () => guard.stdin.end(),
  };
}
