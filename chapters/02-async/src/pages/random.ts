/** Random numbers that are the same in every run and in every process that knows the seed. */

/** A number from 0 to 1, 1 excluded, that belongs to these whole numbers: the same for the same ones, else independent. */
export function randomFor(...parts: number[]): number {
  let hash = 0x811c9dc5
  for (const part of parts) hash = mix(hash ^ part)
  return hash / 2 ** 32
}

/** Spreads every bit of a 32-bit number over all others (the finisher of MurmurHash3). */
function mix(value: number): number {
  let bits = value
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
