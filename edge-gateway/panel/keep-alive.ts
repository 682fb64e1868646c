/** Finds out that a line is dead although no close ever came: a double CRLF must be answered (RFC 5626 section 4.4.1). */

const EVERY_MS = 25_000;
const ANSWER_WITHIN_MS = 10_000;

/**
 * Watches a WebSocket until it closes. Any received frame counts as a sign of life.
 * @param onDead called once when the peer stays silent
 */
export function keepAlive(socket: WebSocket, onDead: () => void): void {
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const ping = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send('\r\n\r\n');
    deadline ??= setTimeout(onDead, ANSWER_WITHIN_MS);
  }, EVERY_MS);
  socket.addEventListener('message', () => {
    clearTimeout(deadline);
    deadline = undefined;
  });
  socket.addEventListener('close', () => {
    clearInterval(ping);
    clearTimeout(deadline);
  });
}
