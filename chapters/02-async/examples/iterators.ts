/**
 * iterators: the same sequence as a class, a generator and an async generator; and work that is done only on demand
 *
 *     pnpm --filter 02-async start iterators
 *     pnpm --filter 02-async start iterators --primes 8 --above 1000000
 *
 * Look for: the order of the lines "made" and "taken". A chain of iterator helpers makes one value at a time, and no
 * more than are taken, although its numbers never end. A chain of array methods would make all values first.
 */
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { bold, count } from '@repo/common/output/terminal'
import { Countdown, countdown, isPrime, naturals, slowCountdown } from '../src/coroutines/iterators.ts'

export default example(import.meta, {
  options: {
    from: wholeNumber(1, 20).default(3).describe('where the countdowns begin'),
    primes: wholeNumber(1, 1000).default(3).describe('how many primes to take'),
    above: wholeNumber(0, 1_000_000_000).default(100).describe('primes larger than this'),
  },

  async run({ from, primes, above }, { signal, print }) {
    // An iterator is any object with next(). Three ways to make one.
    print(bold('One protocol: next() returns { done, value }'))
    const iterator = new Countdown(from)[Symbol.iterator]()
    for (let step = iterator.next(); ; step = iterator.next()) {
      print(`  next() → ${JSON.stringify(step)}`)
      if (step.done) break
    }
    const byClass = [...new Countdown(from)]
    const byGenerator = [...countdown(from)]
    const byAsyncGenerator: number[] = []
    for await (const value of slowCountdown(from, 50, signal)) byAsyncGenerator.push(value)
    print(
      `  class ${byClass}, generator ${byGenerator}, async generator ${byAsyncGenerator} (${50} ms between two)`,
      `  a second for … of over the object starts again: ${[...new Countdown(from)]}`,
      '  a generator is its own iterator and ends once:',
    )
    const once = countdown(from)
    const [first, second] = [[...once], [...once]]
    print(`    first ${first}, second ${second.length === 0 ? 'nothing' : second}`)

    // Building a chain makes nothing. take() asks map(), which asks filter(), which asks for the next number.
    print('', bold(`Lazy: the first ${primes} primes above ${count(above)}, from numbers without end`))
    const made: number[] = []
    // #region chain
    const chain = naturals(above + 1, (value) => {
      made.push(value)
      if (made.length <= 20) print(`  made ${value}`)
      if (made.length === 21) print('  …')
    })
      .filter(isPrime)
      .map((prime) => ({ prime, remainder: prime % 4 }))
      .take(primes)
    // #endregion chain
    print('  The chain is built; nothing has been made yet.')
    const taken: number[] = []
    for (const { prime } of chain) {
      taken.push(prime)
      if (made.length <= 20) print(`    taken ${prime}`)
    }
    const last = taken.at(-1) ?? above
    print(`  ${count(made.length)} numbers were made, up to ${count(last)}, and no more.`)

    // Leaving the loop closes the generator.
    print('', bold('Closed: a loop that stops early lets the generator clean up'))
    const events: string[] = []
    for (const line of withFile(events)) if (line === 'second line') break
    for (const event of events) print(`  ${event}`)
    return { byClass, byGenerator, byAsyncGenerator, secondPass: second, primes: taken, made: made.length, events }
  },
  figure: ({ primes, made }) => `${primes.length} primes taken from numbers without end; ${made} numbers made`,
})

/** Stands for any source that must be closed, such as a file or a connection. */
// #region closed
function* withFile(events: string[]): Generator<string, void, void> {
  events.push('opened')
  try {
    for (const line of ['first line', 'second line', 'third line']) {
      events.push(`hands out the ${line}`)
      yield line
    }
  } finally {
    // `break` in the loop calls the generator's return(), which makes the waiting yield return.
    events.push('closed')
  }
}
// #endregion closed
