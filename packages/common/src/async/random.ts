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
