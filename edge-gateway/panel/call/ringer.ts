/** The sounds of a telephone, made by WebAudio: ring, ringback, call waiting. */
import type { Call } from '#gateway/panel/call/call.ts';

export type Sound = 'none' | 'ring' | 'ringback' | 'waiting';

interface Pattern {
  readonly tones: readonly number[];
  readonly volume: number;
  /** Sound and silence in turns, in seconds. */
  readonly cadence: readonly number[];
}

const PATTERNS: Readonly<Record<Exclude<Sound, 'none'>, Pattern>> = {
  ring: { tones: [440, 554], volume: 0.14, cadence: [0.4, 0.2, 0.4, 2] },
  // What a caller hears in most of Europe (ITU-T E.180).
  ringback: { tones: [425], volume: 0.05, cadence: [1, 4] },
  waiting: { tones: [425], volume: 0.06, cadence: [0.2, 0.2, 0.2, 4.4] },
};
/** Without a ramp a tone begins and ends with a click. */
const RAMP_SECONDS = 0.02;

/** What should be heard of these calls. */
export function soundOf(calls: readonly Call[]): Sound {
  const incoming = calls.some(({ phase }) => phase === 'incoming');
  if (incoming) return calls.some(({ phase }) => phase !== 'incoming') ? 'waiting' : 'ring';
  return calls.some(({ phase }) => phase === 'ringing') ? 'ringback' : 'none';
}

export class Ringer {
  #context: AudioContext | undefined;
  #sound: Sound = 'none';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #output: GainNode | undefined;

  play(sound: Sound): void {
    if (sound === this.#sound) return;
    this.#sound = sound;
    clearTimeout(this.#timer);
    this.#output?.disconnect();
    if (sound !== 'none') this.#round(PATTERNS[sound]);
  }

  /** Plays the cadence once, and comes back when it is over. */
  #round(pattern: Pattern): void {
    this.#context ??= new AudioContext();
    const context = this.#context;
    // Until the user has touched the page it stays silent; the card is to be seen all the same.
    void context.resume();
    const output = context.createGain();
    output.connect(context.destination);
    this.#output = output;
    let atSeconds = context.currentTime + RAMP_SECONDS;
    pattern.cadence.forEach((seconds, turn) => {
      if (turn % 2 === 0) for (const tone of pattern.tones) beep(output, { tone, ...pattern, atSeconds, seconds });
      atSeconds += seconds;
    });
    const roundMs = pattern.cadence.reduce((sum, seconds) => sum + seconds, 0) * 1000;
    this.#timer = setTimeout(() => this.#round(pattern), roundMs);
  }
}

interface Beep {
  readonly tone: number;
  readonly volume: number;
  readonly atSeconds: number;
  readonly seconds: number;
}

function beep(output: GainNode, { tone, volume, atSeconds, seconds }: Beep): void {
  const { context } = output;
  const oscillator = new OscillatorNode(context, { frequency: tone });
  const envelope = new GainNode(context, { gain: 0 });
  envelope.gain.setValueAtTime(0, atSeconds);
  envelope.gain.linearRampToValueAtTime(volume, atSeconds + RAMP_SECONDS);
  envelope.gain.setValueAtTime(volume, atSeconds + seconds - RAMP_SECONDS);
  envelope.gain.linearRampToValueAtTime(0, atSeconds + seconds);
  oscillator.connect(envelope).connect(output);
  oscillator.start(atSeconds);
  oscillator.stop(atSeconds + seconds);
}
