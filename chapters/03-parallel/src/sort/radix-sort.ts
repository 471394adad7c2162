/**
 * Sorts by digits of eight bits instead of by comparisons: four passes over the numbers, whatever their count. Works
 * only for integers of 32 bits, and needs as much memory again.
 */
export function radixSort(numbers: Int32Array): void {
  let input = numbers
  let output: Int32Array = new Int32Array(numbers.length)
  for (let shift = 0; shift < 32; shift += 8) {
    // Flip the sign bit: then negative numbers come first.
    const flip = shift === 24 ? 0x80 : 0
    const next = new Uint32Array(257)
    for (let at = 0; at < input.length; at++) {
      const digit = (((input[at] as number) >>> shift) & 0xff) ^ flip
      next[digit + 1] = (next[digit + 1] as number) + 1
    }
    for (let digit = 0; digit < 256; digit++) next[digit + 1] = (next[digit + 1] as number) + (next[digit] as number)
    for (let at = 0; at < input.length; at++) {
      const value = input[at] as number
      const digit = ((value >>> shift) & 0xff) ^ flip
      const place = next[digit] as number
      output[place] = value
      next[digit] = place + 1
    }
    ;[input, output] = [output, input]
  }
}
