import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_RING, NotifyRings, type RingPlace } from '#gateway/notify-ring.ts';

const T0 = 1_800_000_000_000;
const PRESENTITY_VERSION = 1_799_999_999_000;

/** One ring, and beside it a list that forgets nothing. */
class Watched {
  readonly all: {
    cseq: number;
    documentVersion?: number;
    presentityVersion: number;
    sentAtMs: number;
    answer?: number;
  }[] = [];
  place: RingPlace = NO_RING;
  cseq = 100;
  documentVersion = 0;
  version = PRESENTITY_VERSION;
  readonly #rings: NotifyRings;

  constructor(rings: NotifyRings) {
    this.#rings = rings;
  }

  send(hasVersion: boolean, atMs: number, newer = 1): void {
    this.version += newer;
    this.place = this.#rings.sent(this.place, this.version, hasVersion, atMs);
    const document = hasVersion ? { documentVersion: this.documentVersion } : {};
    this.all.push({ cseq: this.cseq, ...document, presentityVersion: this.version, sentAtMs: atMs });
    this.cseq += 1;
    if (hasVersion) this.documentVersion += 1;
  }

  answer(status: number, roundTripMs: number): void {
    this.#rings.answered(this.place, status, roundTripMs);
    Object.assign(this.all.at(-1) ?? {}, { answer: status, roundTripMs });
  }

  read() {
    const { cseq, documentVersion, version } = this;
    return this.#rings.read(this.place, { cseq, documentVersion, presentityVersion: version });
  }
}

describe('the last NOTIFYs of a subscription', () => {
  test('with CSeq, versions, time, answer and round trip, the newest first', () => {
    const watched = new Watched(new NotifyRings(T0));
    expect(watched.read()).toEqual([]);
    watched.send(true, T0 + 5);
    watched.answer(200, 31.4);
    watched.send(false, T0 + 90, 0);
    watched.answer(481, 70_000);
    watched.send(true, T0 + 3_000_000_000);
    expect(watched.read()).toEqual([
      { cseq: 102, documentVersion: 1, presentityVersion: PRESENTITY_VERSION + 2, sentAtMs: T0 + 3_000_000_000 },
      { cseq: 101, presentityVersion: PRESENTITY_VERSION + 1, sentAtMs: T0 + 90, answer: 481, roundTripMs: 65_535 },
      {
        ...{ cseq: 100, documentVersion: 0, presentityVersion: PRESENTITY_VERSION + 1, sentAtMs: T0 + 5 },
        ...{ answer: 200, roundTripMs: 31 },
      },
    ]);
  });

  test('the first state of a presentity of which nothing was ever told has the version 0', () => {
    const rings = new NotifyRings(T0);
    const place = rings.sent(rings.sent(NO_RING, 0, true, T0), PRESENTITY_VERSION, true, T0 + 1);
    const told = rings.read(place, { cseq: 102, documentVersion: 2, presentityVersion: PRESENTITY_VERSION });
    expect(told.map(({ presentityVersion }) => presentityVersion)).toEqual([PRESENTITY_VERSION, 0]);
  });

  test('twenty of any number, of any number of subscriptions side by side, also when places are given back', () => {
    const step = fc.record({
      of: fc.nat(5),
      what: fc.constantFrom('send', 'send', 'send', 'plain', 'answer', 'forget'),
      newer: fc.constantFrom(0, 1, 2 ** 31),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const rings = new NotifyRings(T0);
        const all = Array.from({ length: 6 }, () => new Watched(rings));
        steps.forEach(({ of, what, newer }, index) => {
          const watched = all[of] ?? new Watched(rings);
          if (what === 'send' || what === 'plain') watched.send(what === 'send', T0 + index, newer);
          else if (what === 'answer' && watched.all.length > 0) watched.answer(200, index);
          else if (what === 'forget') {
            rings.release(watched.place);
            all[of] = new Watched(rings);
          }
        });
        // A version that is 2^32 older is another one: only half of it is kept.
        for (const watched of all) {
          const known = watched.all.slice(-20).toReversed();
          const isNear = ({ presentityVersion }: { presentityVersion: number }) =>
            watched.version - presentityVersion < 2 ** 32;
          const read = watched.read();
          expect(read).toHaveLength(known.length);
          known.forEach((each, index) => {
            const { presentityVersion, ...rest } = each;
            expect(read[index]).toMatchObject(rest);
            if (isNear(each)) expect(read[index]?.presentityVersion).toBe(presentityVersion);
          });
        }
      }),
    );
  });
});
