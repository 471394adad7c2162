/**
 * coroutines: generators that are fed with next(value), closed with return() and failed with throw()
 *
 *     pnpm --filter 02-async start coroutines
 *     pnpm --filter 02-async start coroutines --values 10,20,60
 *
 * Look for: the first value, which an unprimed coroutine loses silently; and what happens inside the coroutine when it
 * is closed, and when an error is thrown into it from outside.
 */
import { example } from '@repo/common/example/example'
import { listOf, number } from '@repo/common/example/options'
import { bold } from '@repo/common/output/terminal'
import { broadcast, coroutine, type Sink } from '../src/coroutines/coroutine.ts'

/** Something that is not a number was sent. */
export class NotANumber extends Error {
  override name = 'NotANumber'
}

/**
 * Takes numbers and gives back the mean of all so far. It survives a `NotANumber` that is thrown into it, by leaving
 * the value out; any other error ends it. At the end it calls `onEnd` with the last mean and the number of values.
 */
// #region mean
export function* meanSoFar(onEnd: (mean: number, values: number) => void = () => {}): Generator<number, void, number> {
  let sum = 0
  let values = 0
  const mean = () => (values === 0 ? 0 : sum / values)
  try {
    for (;;) {
      try {
        sum += yield mean()
        values++
      } catch (error) {
        if (!(error instanceof NotANumber)) throw error
      }
    }
  } finally {
    onEnd(mean(), values)
  }
}
// #endregion mean

/** The same, primed: it already waits for its first number. */
export const runningMean = coroutine(meanSoFar)

export default example(import.meta, {
  options: {
    // Far enough from the largest number for the sum of twenty, which JSON could not carry beyond it.
    values: listOf(number(-1e300, 1e300), 'numbers from -1e300 to 1e300, separated by commas', { max: 20 })
      .default([2, 4, 9])
      .describe('values to feed in'),
  },

  async run({ values }, { print }) {
    const feed = (mean: ReturnType<typeof meanSoFar>, note = '') =>
      values.map((value, at) => {
        const { value: soFar } = mean.next(value)
        print(`  next(${value}) → ${soFar}${at === 0 ? note : ''}`)
        return soFar
      })
    // A fresh generator has not reached a yield that could receive a value.
    print(bold('Not primed: the first next() only runs to the first yield'))
    const lost = feed(meanSoFar(), `   (${values[0]} is lost)`)

    print('', bold('Primed: coroutine() has called next() once already'))
    const ended: string[] = []
    const primed = runningMean((mean, count) => ended.push(`closed with a mean of ${mean} over ${count} values`))
    const means = feed(primed)

    print('', bold('throw(): an error at the yield where it waits'))
    const survived = primed.throw(new NotANumber('seven'))
    print(`  throw(NotANumber) → ${survived.value}   (caught inside; the coroutine goes on)`)

    print('', bold('return(): the end, through finally'))
    const closed = primed.return()
    print(`  return() → ${JSON.stringify(closed)}`, `  and inside: ${ended[0]}`)
    const afterEnd = primed.next(1)
    print(`  next(1) → ${JSON.stringify(afterEnd)}   (a closed coroutine takes no values)`)

    const failing = runningMean((mean) => ended.push(`failed with a mean of ${mean}`))
    failing.next(values[0] ?? 0)
    let failure = ''
    try {
      failing.throw(new Error('the source has failed'))
    } catch (error) {
      failure = (error as Error).message
    }
    print(`  throw(Error) → throws "${failure}"   (not caught inside; it comes back out)`, `  and inside: ${ended[1]}`)

    // Each stage closes the next in its finally: closing the source closes the whole pipeline.
    print('', bold('A pipeline: each coroutine feeds the next; broadcast feeds several'))
    const shown: string[] = []
    const show = coroutine(function* (name: string): Sink<number> {
      try {
        for (;;) shown.push(`${name} ${yield}`)
      } finally {
        shown.push(`${name} closed`)
      }
    })
    const squared = coroutine(function* (target: Sink<number>): Sink<number> {
      try {
        for (;;) target.next((yield) ** 2)
      } finally {
        target.return()
      }
    })
    const source = broadcast([show('as it is:'), squared(show('squared: '))])
    for (const value of values) source.next(value)
    source.return()
    for (const line of shown) print(`  ${line}`)
    return { lost, means, survived: survived.value, closed, afterEnd, failure, ended, shown }
  },
  figure: ({ means, lost }) => `means ${means.join(', ')}; not primed ${lost.join(', ')}`,
})
