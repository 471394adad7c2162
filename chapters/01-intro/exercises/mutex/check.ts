/** Two threads take the mutex under every schedule, one of them twice. */
import { exercise, longestHistory } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'
import { type ThreadFunction, underEveryInterleaving } from '@repo/exercises/threads'

type Solution = typeof import('./exercise.ts')

/** Where the mutex lies. */
const at = 1

const visiting =
  (times: number): ThreadFunction<Solution> =>
  ({ lock, unlock }, { memory, note }) => {
    for (let visit = 0; visit < times; visit++) {
      lock(memory, at)
      note('is inside')
      note('leaves')
      unlock(memory, at)
    }
  }

// Once more after it has woken the other one: that one is awake, and does not have the mutex yet.
export const threads = { a: visiting(2), b: visiting(1) }

export default exercise<Solution>({
  check: async (_, { signal }) =>
    await underEveryInterleaving({
      checker: import.meta.url,
      names: ['a', 'b'],
      words: 2,
      labels: ['word 0', 'mutex'],
      signal,
      check({ stuck: [sleeper], history }) {
        const other = history.find(({ what }) => what.includes('word 0'))
        if (other) return { says: `${other.who} uses word 0, and the mutex is word ${at}.`, history: [other] }
        const inside = new Set<string>()
        for (const [number, { who, what }] of history.entries()) {
          if (what === 'is inside') inside.add(who)
          if (what === 'leaves') inside.delete(who)
          if (inside.size > 1) {
            const steps = history.slice(0, number + 1)
            if (history[0]?.what === 'is inside') {
              const says = 'lock returns without having touched the memory.'
              return { says, history: history.slice(0, 1), line: declaredAt('lock') }
            }
            // The last thing that this thread did before it came in.
            const before = steps.findLast((step) => step.who === who && step.what !== 'is inside')?.what ?? ''
            const why = before.startsWith('wake')
              ? 'A thread that wakes up does not have the mutex: another one may have taken it meanwhile.'
              : 'Between looking and taking, the other thread looked as well: it has to be one operation.'
            return { says: 'Both threads are inside at once.', history: steps.slice(-longestHistory), why }
          }
        }
        if (sleeper !== undefined) {
          return {
            says: `${sleeper} sleeps for ever: nobody wakes it.`,
            history: history.slice(-longestHistory),
            why: 'The thread that frees the mutex has to wake one that sleeps.',
          }
        }
        return undefined
      },
    }),
})
