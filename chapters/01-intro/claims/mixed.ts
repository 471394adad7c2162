import { claims } from '@repo/common/example/claims'
import mixed from '../examples/mixed.ts'

type Result = Awaited<ReturnType<typeof mixed.run>>

/** The same layouts on any machine. */
const args = ['--quick', '--layouts', '1x1,2x1,1x2,2x2']

function layout({ layouts }: Result, name: string) {
  const found = layouts.find(({ layout }) => layout === name)
  if (!found) throw new Error(`no layout ${name}`)
  return found
}

/** The fastest layout with so many workers, in milliseconds. */
const fastest = ({ layouts }: Result, workers: number) =>
  Math.min(...layouts.filter(({ processes, threads }) => processes * threads === workers).map(({ ms }) => ms))

export default claims(mixed, {
  'digits-follow-the-workers': {
    says: 'One, two and four workers give three different sums.',
    holds: (result) => new Set(['1×1', '1×2', '2×2'].map((name) => layout(result, name).inOrderOfWorkers)).size === 3,
    values: ({ layouts }) => layouts.map(({ inOrderOfWorkers }) => inOrderOfWorkers).join(', '),
    args,
  },
  'same-cut-same-digits': {
    says: 'Two processes and two threads agree to the last digit.',
    holds: (result) => layout(result, '2×1').inOrderOfWorkers === layout(result, '1×2').inOrderOfWorkers,
    values: ({ layouts }) => layouts.map(({ inOrderOfWorkers }) => inOrderOfWorkers).join(', '),
    args,
  },
  'same-bits': {
    says: 'Now every layout gives the same 64 bits.',
    holds: ({ bits, layouts }) => layouts.every((layout) => layout.bits === bits),
    values: ({ bits }) => bits,
    args,
  },
  'all-close-to-pi': {
    says: 'All of them are right to 14 digits.',
    holds: ({ sum, layouts }) =>
      [sum, ...layouts.map(({ inOrderOfWorkers }) => inOrderOfWorkers)].every(
        (value) => value.toPrecision(14) === Math.PI.toPrecision(14),
      ),
    args,
  },
  'more-workers-than-cores': {
    says: 'Twice as many workers as cores are not faster, by more than a quarter, than as many workers as cores.',
    holds: (result) => fastest(result, 2 * result.cores) >= 0.8 * fastest(result, result.cores),
    values: (result) =>
      `${fastest(result, 2 * result.cores).toFixed(0)} ms, ${fastest(result, result.cores).toFixed(0)} ms`,
    // Only then are the layouts with as many workers as cores, and with twice as many, among the default ones.
    applies: ({ busy, cores }) => !busy && cores >= 2 && cores % 2 === 0 && cores <= 16,
  },
  'processes-take-memory': {
    says: 'Two processes with a thread each take at least 1.2 times the memory of one process with two threads.',
    holds: (result) => layout(result, '2×1').memoryBytes >= 1.2 * layout(result, '1×2').memoryBytes,
    values: (result) =>
      ['2×1', '1×2'].map((name) => `${(layout(result, name).memoryBytes / 1e6).toFixed(0)} MB`).join(', '),
    args,
  },
})
