/**
 * Random numbers that a seed repeats, for faults, loads and shuffles: mulberry32. Not for secrets.
 *
 * @param seed a whole number; its lower 32 bits count
 * @returns a function that returns the next number, from 0 to below 1
 */
export function randomFrom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws from one sequence of random numbers. */
export interface Draw {
  /** A number from 0 to below 1. */
  share(): number
  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number
  /** @throws a RangeError when the list is empty */
  oneOf<T>(list: readonly T[]): T
}

/** Draws that follow from a seed: the same calls in the same order give the same values. */
export function drawFrom(seed: number): Draw {
  const share = randomFrom(seed)
  const whole = (least: number, most: number) => least + Math.floor((most - least + 1) * share())
  return {
    share,
    whole,
    oneOf(list) {
      if (list.length === 0) throw new RangeError('nothing to draw from: the list is empty')
      return list[whole(0, list.length - 1)] as (typeof list)[number]
    },
  }
}
