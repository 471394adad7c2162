/** Options that are lists of numbers in ascending order. */
import { accepting } from '@repo/common/example/options'

/**
 * A comma-separated list of at most 100 different numbers, the smallest first.
 *
 * @param accepts what a list looks like, in words
 * @param parse the number that a part of the list stands for, or undefined where it stands for none
 */
export function ascendingList(accepts: string, parse: (part: string) => number | undefined) {
  return accepting(accepts, (text) => {
    const numbers = text.split(',').map((part) => parse(part.trim()) ?? Number.NaN)
    const ascending = numbers.every((number, at) => number > (numbers[at - 1] ?? Number.NEGATIVE_INFINITY))
    return ascending && numbers.length <= 100 ? numbers : undefined
  })
}

const units: Record<string, number> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }

/** The bytes that `64000`, `64kB`, `64 MB` or `1GB` stand for; undefined for other texts. */
export function parseSize(text: string): number | undefined {
  const [, number, unit = 'B'] = /^(\d+)\s*(B|kB|MB|GB)?$/.exec(text) ?? []
  return number === undefined ? undefined : Number(number) * (units[unit] ?? 1)
}
