/** Two threads take the mutex under every schedule. */
import { exercise } from '@repo/exercises/exercise'
import { type ThreadFunction, underEveryInterleaving } from '@repo/exercises/threads'

type Solution = typeof import('./exercise.ts')

const visit: ThreadFunction<Solution> = ({ lock, unlock }, { memory, note }) => {
  lock(memory, 0)
  note('is inside')
  note('leaves')
  unlock(memory, 0)
}

export const threads = { a: visit, b: visit }

export default exercise<Solution>({
  check: async (_, { signal }) =>
    await underEveryInterleaving({
      checker: import.meta.url,
      names: ['a', 'b'],
      words: 1,
      labels: ['mutex'],
      signal,
      check({ stuck: [sleeper], history }) {
        const inside = new Set<string>()
        for (const [at, { who, what }] of history.entries()) {
          if (what === 'is inside') inside.add(who)
          if (what === 'leaves') inside.delete(who)
          if (inside.size > 1) {
            if (history[0]?.what === 'is inside') return { says: 'lock returns without having touched the memory.' }
            const why = 'Between looking and taking, the other thread looked as well: it has to be one operation.'
            return { says: 'Both threads are inside at once.', history: history.slice(0, at + 1), why }
          }
        }
        if (sleeper !== undefined) {
          return {
            says: `${sleeper} sleeps for ever: nobody wakes it.`,
            why: 'The thread that frees the mutex has to wake one that sleeps.',
          }
        }
        return undefined
      },
    }),
})
