/**
 * Whether two sets of measurements differ by more than noise. It assumes nothing about the shape of the noise, which on a
 * shared machine has a long tail: only ranks count.
 */

/**
 * Returns the probability that two samples of one distribution differ in their ranks at least as much as these: the exact
 * two-sided test of Mann and Whitney (1947), by counting all ways to divide the values. Equal values share their ranks.
 */
export function rankSumProbability(first: readonly number[], second: readonly number[]): number {
  const all = [...first, ...second].sort((a, b) => a - b)
  // Twice the mean rank, a whole number also for equal values.
  const rank = (value: number) => all.indexOf(value) + all.lastIndexOf(value) + 2
  const ranks = all.map(rank)
  // ways[size][sum]: how many subsets of that size have that sum of ranks.
  const ways = Array.from({ length: first.length + 1 }, () => new Map<number, number>())
  ways[0]?.set(0, 1)
  for (const each of ranks) {
    for (let size = first.length; size > 0; size--) {
      for (const [sum, count] of ways[size - 1] ?? []) {
        ways[size]?.set(sum + each, (ways[size]?.get(sum + each) ?? 0) + count)
      }
    }
  }
  const expected = first.length * (all.length + 1)
  const observed = Math.abs(first.reduce((sum, value) => sum + rank(value), 0) - expected)
  let [extreme, total] = [0, 0]
  for (const [sum, count] of ways[first.length] ?? []) {
    total += count
    if (Math.abs(sum - expected) >= observed) extreme += count
  }
  return extreme / total
}

/** Returns by what factor the second sample is larger: the median of all ratios (Hodges and Lehmann 1963, on logarithms). */
export function shift(first: readonly number[], second: readonly number[]): number {
  const logs = second.flatMap((after) => first.map((before) => Math.log(after / before))).sort((a, b) => a - b)
  const middle = (logs.length - 1) / 2
  return Math.exp(((logs[Math.floor(middle)] ?? Number.NaN) + (logs[Math.ceil(middle)] ?? Number.NaN)) / 2)
}

/**
 * Corrects the probabilities of several tests, so that the chance of even one false alarm among them stays what it is for
 * one (Holm 1979). Returns them in the given order.
 */
export function corrected(probabilities: readonly number[]): number[] {
  const order = probabilities.map((_, at) => at).sort((a, b) => (probabilities[a] ?? 1) - (probabilities[b] ?? 1))
  const result = new Array<number>(probabilities.length)
  let least = 0
  for (const [place, at] of order.entries()) {
    least = Math.min(1, Math.max(least, (probabilities[at] ?? 1) * (probabilities.length - place)))
    result[at] = least
  }
  return result
}

/** The chance that a comparison of two equal programs finds any difference. */
const falseAlarms = 0.05
/** Smaller differences are none: two starts of one program differ as much, by where its memory lies and what is compiled. */
export const least = 0.05

export interface Difference {
  /** How many times the second is the first. */
  factor: number
  /** After correction. */
  probability: number
  verdict: 'more' | 'less' | 'same' | 'too few rounds'
}

/**
 * Compares pairs of samples. `too few rounds` means that no outcome would have been clear enough, for so many comparisons
 * at once.
 */
export function differences(pairs: readonly { before: readonly number[]; after: readonly number[] }[]): Difference[] {
  const probabilities = corrected(pairs.map(({ before, after }) => rankSumProbability(before, after)))
  return pairs.map(({ before, after }, at) => {
    const factor = shift(before, after)
    const probability = probabilities[at] ?? 1
    const clearest = rankSumProbability(
      before.map((_, at) => at),
      after.map((_, at) => before.length + at),
    )
    const isClear = probability <= falseAlarms && Math.abs(Math.log(factor)) >= Math.log(1 + least)
    if (!isClear && clearest * pairs.length > falseAlarms) return { factor, probability, verdict: 'too few rounds' }
    return { factor, probability, verdict: isClear ? (factor > 1 ? 'more' : 'less') : 'same' }
  })
}
