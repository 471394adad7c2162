import { claims } from '@repo/common/example/claims'
import { times } from '@repo/common/output/terminal'
import fib from '../examples/fib.ts'

type Result = Awaited<ReturnType<typeof fib.run>>
/** The time of k computations as a multiple of the time of one, in the same way. */
const growth = ({ rows }: Result, way: string, k: number) => {
  const ms = (k: number) => rows.find((row) => row.k === k)?.ms[way] ?? Number.NaN
  return ms(k) / ms(1)
}

export default claims(fib, {
  'main-thread-in-proportion': {
    says: 'On the main thread the time is proportional to the number of computations.',
    holds: (result) => {
      const factor = growth(result, 'main thread', 2)
      return factor >= 1.4 && factor <= 2.8
    },
    values: (result) => `2 of them take ${times(growth(result, 'main thread', 2))}`,
  },
  'flat-up-to-the-cores': {
    says: 'On threads it stays about flat up to the number of cores',
    holds: ({ two }) => two.speedup >= 0.7 * two.ceiling,
    values: ({ two }) => `${times(two.speedup)}, ceiling ${times(two.ceiling)}`,
    cores: 2,
  },
  'threads-as-fast-as-processes': {
    says: 'Threads and processes compute equally fast.',
    holds: ({ rows }) => {
      const ratio = (rows[0]?.ms.worker_threads ?? 0) / (rows[0]?.ms['child processes'] ?? 0)
      return ratio >= 0.5 && ratio <= 2
    },
    values: ({ rows }) => JSON.stringify(rows[0]?.ms),
  },
  'python-threads-gain-nothing': {
    says: "Python's threads are no faster than one thread, however many cores there are",
    holds: ({ python }) => python?.results.every(({ k, oneMs, threadsMs }) => threadsMs >= 0.6 * k * oneMs) ?? false,
    values: ({ python }) =>
      python?.results.map(({ k, oneMs, threadsMs }) => `${k}: ${times(threadsMs / oneMs)}`).join(', ') ?? '',
    applies: ({ python }) => python !== null,
  },
  'a-loop-is-never-beaten': {
    says: 'The threads never win.',
    holds: ({ sizes }) => sizes.every(({ ms, bestSerialMs }) => ms > bestSerialMs),
    values: ({ sizes }) => sizes.map(({ n, cost }) => `n = ${n}: ${cost}`).join(', '),
  },
})
