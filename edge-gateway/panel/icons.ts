/** The lamps' shapes: each state is told apart without colour. */
import type { LampState } from '#gateway/panel/lamp.ts';

const SVG = 'http://www.w3.org/2000/svg';

/** Paths in a 24-unit square, drawn in the current colour. */
const SHAPES = {
  // A tick in a circle: free.
  idle: ['M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm-1.3 14.3-4-4 1.6-1.6 2.4 2.4 5.2-5.3 1.6 1.6-6.8 6.9Z'],
  // A bell: ringing.
  ringing: [
    'M12 2.2c-.9 0-1.6.7-1.6 1.6v.5A6.3 6.3 0 0 0 5.7 10.4v4.3l-1.9 2.6c-.4.6 0 1.4.7 1.4h15c.7 0 1.1-.8.7-1.4l-1.9-2.6v-4.3a6.3 6.3 0 0 0-4.7-6.1v-.5c0-.9-.7-1.6-1.6-1.6Z',
    'M9.6 20a2.5 2.5 0 0 0 4.8 0H9.6Z',
  ],
  // A handset in a square: in a call.
  busy: [
    'M5 2h14a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H5a3 3 0 0 1-3-3V5a3 3 0 0 1 3-3Zm3.5 4.2-1.7 1.5c-.5.5-.6 1.1-.4 1.9 1.2 4 3.9 6.8 7.9 8 .8.2 1.5.1 1.9-.4l1.5-1.7c.3-.4.3-.8-.1-1.1l-2.3-1.6c-.3-.2-.7-.2-1 .1l-1 1c-1.5-.8-2.6-1.9-3.4-3.3l1-1c.3-.3.3-.7.1-1L9.6 6.3c-.3-.4-.7-.4-1.1-.1Z',
  ],
  // Two bars: on hold.
  held: [
    'M5.5 2h13A3.5 3.5 0 0 1 22 5.5v13a3.5 3.5 0 0 1-3.5 3.5h-13A3.5 3.5 0 0 1 2 18.5v-13A3.5 3.5 0 0 1 5.5 2ZM8 7v10h2.8V7H8Zm5.2 0v10H16V7h-2.8Z',
  ],
  // A broken ring with a question mark: unknown.
  unknown: [
    'M10.9 15.7h2.2V18h-2.2v-2.3ZM12 6a4 4 0 0 0-4 3.8h2.1A1.9 1.9 0 0 1 12 8c1.1 0 1.9.7 1.9 1.7 0 .8-.4 1.2-1.4 1.9-1.2.8-1.6 1.5-1.6 2.8v.3h2.1v-.2c0-.7.3-1 1.3-1.7 1.2-.8 1.8-1.7 1.8-3A3.9 3.9 0 0 0 12 6Z',
    'M14.3 1.3 14 3.3a8.9 8.9 0 0 1 4.6 2.7l1.5-1.4a10.9 10.9 0 0 0-5.8-3.3ZM9.7 1.3a10.9 10.9 0 0 0-5.8 3.3L5.4 6A8.9 8.9 0 0 1 10 3.3l-.3-2ZM22 8.6l-1.9.7a8.9 8.9 0 0 1 0 5.4l1.9.7a10.9 10.9 0 0 0 0-6.8ZM2 8.6a10.9 10.9 0 0 0 0 6.8l1.9-.7a8.9 8.9 0 0 1 0-5.4L2 8.6ZM20.1 19.4 18.6 18a8.9 8.9 0 0 1-4.6 2.7l.3 2a10.9 10.9 0 0 0 5.8-3.3ZM3.9 19.4a10.9 10.9 0 0 0 5.8 3.3l.3-2A8.9 8.9 0 0 1 5.4 18l-1.5 1.4Z',
  ],
} as const satisfies Record<LampState, readonly string[]>;

/** A handset alone: what a press on a lamp does. */
const HANDSET = [
  'M8.1 3.2 5.3 5.6c-.8.8-1 1.8-.7 3.1 1.9 6.4 6.2 10.9 12.7 12.8 1.3.3 2.3.2 3.1-.6l2.4-2.8c.5-.6.5-1.3-.2-1.8l-3.7-2.5c-.5-.4-1.1-.3-1.6.1l-1.6 1.6c-2.4-1.3-4.2-3-5.4-5.3l1.6-1.6c.4-.5.5-1.1.1-1.6L9.9 3.3c-.5-.7-1.2-.7-1.8-.1Z',
];

export function lampIcon(state: LampState): SVGSVGElement {
  return icon(SHAPES[state]);
}

export function handsetIcon(): SVGSVGElement {
  return icon(HANDSET);
}

function icon(shapes: readonly string[]): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  for (const shape of shapes) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', shape);
    path.setAttribute('fill', 'currentColor');
    path.setAttribute('fill-rule', 'evenodd');
    svg.append(path);
  }
  return svg;
}
