/** Random numbers that a seed repeats, for inputs, faults, latencies and shuffles. Not for secrets. */

/**
 * Returns a function that returns the next 32-bit integer, from −2^31 to 2^31 − 1: Tommy Ettinger's mulberry32.
 *
 * @param seed a whole number; its lower 32 bits count
 */
export function integersFrom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return mixed ^ (mixed >>> 14)
  }
}

/** As `integersFrom`, but with numbers from 0 to below 1. */
export function randomFrom(seed: number): () => number {
  const next = integersFrom(seed)
  return () => (next() >>> 0) / 2 ** 32
}

/** Different ways to draw from one sequence of random numbers. */
export interface Draw {
  /** A number from 0 to below 1. */
  share(): number
  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number
  /** @throws a RangeError when the list is empty */
  oneOf<T>(list: readonly T[]): T
}

/** Returns the draws of a seed: the same calls in the same order give the same values. */
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

/**
 * Returns a number from 0 to below 1 that belongs to these whole numbers: in every process, the same whole numbers in
 * the same order give the same one. For what must not depend on the order of the calls, such as the latency of a page.
 */
export function randomFor(...parts: number[]): number {
  let hash = 0x811c9dc5
  for (const part of parts) hash = mix(hash ^ part)
  return hash / 2 ** 32
}

/** Spreads every bit of a 32-bit number over all others: the finalizer of MurmurHash3. */
function mix(value: number): number {
  let bits = value
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
