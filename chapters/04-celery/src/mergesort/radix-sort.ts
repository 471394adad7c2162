/** Three digits of eleven bits make 32 bits and one to spare; their counts fit into a core's own cache. */
const width = 11
const size = 1 << width
const digits = [0, 1, 2]

/**
 * Sorts by digits instead of by comparisons, the last digit first: three passes, each of which leaves equal digits in
 * their order. For random numbers of 32 bits that takes a fraction of the time of TypedArray.sort.
 *
 * @param numbers are lost: they serve as scratch memory
 * @returns new memory
 */
export function radixSort(numbers: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const places = digits.map(() => new Int32Array(size))
  const [low, middle, high] = places as [Int32Array, Int32Array, Int32Array]
  for (let at = 0; at < numbers.length; at++) {
    const value = ordered(numbers[at] as number)
    count(low, value & (size - 1))
    count(middle, (value >>> width) & (size - 1))
    count(high, value >>> (2 * width))
  }
  let [input, output] = [numbers, new Int32Array(numbers.length)]
  for (const digit of digits) {
    move(input, output, digit * width, firstPlaces(places[digit] as Int32Array))
    ;[input, output] = [output, input]
  }
  return input
}

/** The same bits as an unsigned number in the order of the signed ones: negative numbers come first. */
const ordered = (value: number) => value ^ 0x8000_0000

function count(counts: Int32Array, digit: number) {
  counts[digit] = (counts[digit] as number) + 1
}

/** Turns the count of each digit into the place of its first number. */
function firstPlaces(counts: Int32Array): Int32Array {
  let place = 0
  for (let digit = 0; digit < counts.length; digit++) {
    const count = counts[digit] as number
    counts[digit] = place
    place += count
  }
  return counts
}

function move(input: Int32Array, output: Int32Array, shift: number, places: Int32Array) {
  for (let at = 0; at < input.length; at++) {
    const value = input[at] as number
    const digit = (ordered(value) >>> shift) & (size - 1)
    const place = places[digit] as number
    output[place] = value
    places[digit] = place + 1
  }
}
