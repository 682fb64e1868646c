/** The terminal while a board is shown: another screen, no cursor, and everything as it was afterwards. */

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const CTRL_C = '\u0003';

export interface BoardScreen {
  draw(lines: readonly string[]): void;
  close(): void;
}

/** @param onQuit q, or Ctrl-C, which a raw terminal no longer makes a signal of */
export function openScreen(stdout: NodeJS.WriteStream, onQuit: () => void, onResize: () => void): BoardScreen {
  const { stdin } = process;
  const onKey = (key: Buffer): void => {
    if (key.includes('q') || key.includes(CTRL_C)) onQuit();
  };
  if (stdin.isTTY) {
    stdin.setRawMode(true);
    stdin.on('data', onKey);
  }
  stdout.on('resize', onResize);
  stdout.write(ENTER);
  let isOpen = true;
  return {
    draw(lines) {
      if (isOpen) stdout.write(HOME + lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n') + CLEAR_BELOW);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      stdout.write(LEAVE);
      stdout.off('resize', onResize);
      if (!stdin.isTTY) return;
      stdin.off('data', onKey);
      stdin.setRawMode(false);
      stdin.pause();
    },
  };
}
