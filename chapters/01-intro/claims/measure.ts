import { claims } from '@repo/common/example/claims'
import measure from '../examples/measure.ts'

type Result = Awaited<ReturnType<typeof measure.run>>

/** The row with a core for each thread, and the last, with twice as many threads. */
function rowsOf({ rows, workers }: Result) {
  const [atCores, past] = [rows.find((row) => row.workers === workers), rows.at(-1)]
  if (!atCores || !past) throw new Error('a row is missing')
  return { atCores, past }
}

const idle = ({ busy }: Result) => !busy
const percent = (share = Number.NaN) => `${(100 * share).toFixed(1)} %`
const lead = ({ rows, bestSerialMs }: Result) => (rows[0]?.ms ?? Number.NaN) / bestSerialMs

export default claims(measure, {
  'per-thread-falls': {
    says: 'On twice as many threads as cores, the speedup per thread is lower than on as many threads as cores.',
    holds: (result) => rowsOf(result).past.perThread < rowsOf(result).atCores.perThread,
    values: (result) => `${percent(rowsOf(result).past.perThread)}, ${percent(rowsOf(result).atCores.perThread)}`,
    cores: 2,
    applies: idle,
  },
  'karp-flatt-grows': {
    says: 'Past the cores, Karp–Flatt is larger than with a core for each thread.',
    holds: (result) => (rowsOf(result).past.karpFlatt ?? 0) > (rowsOf(result).atCores.karpFlatt ?? 0),
    values: (result) =>
      `${percent(rowsOf(result).past.karpFlatt ?? 0)}, ${percent(rowsOf(result).atCores.karpFlatt ?? 0)}`,
    cores: 2,
    // Threads that had to share a core with somebody else's work had none each. On many cores the serial part has
    // taken nearly all of the time already, with or without more cores.
    applies: (result) => idle(result) && result.cores <= 8 && rowsOf(result).atCores.efficiency >= 0.85,
  },
  'threads-are-not-processors': {
    says: 'Where threads count as processors, the fit finds a larger serial part.',
    holds: ({ fits }) => fits.amdahlOnThreads.serialFraction > (fits.amdahl?.serialFraction ?? 1),
    values: ({ fits }) => `${percent(fits.amdahlOnThreads.serialFraction)}, ${percent(fits.amdahl?.serialFraction)}`,
    cores: 2,
    applies: (result) => idle(result) && result.fits.amdahl !== null,
  },
  'better-algorithm-leads': {
    says: 'The better program is at least ten times as fast as this job on one thread.',
    holds: (result) => lead(result) >= 10,
    values: (result) => `${lead(result).toFixed(1)}×`,
  },
  'cost-without-serial-part': {
    says: 'Without a serial part, the job needs more than ten threads, with a core for each, to beat it.',
    holds: ({ costByAmdahl }) => costByAmdahl !== null && costByAmdahl > 10,
    values: ({ costByAmdahl }) => `${costByAmdahl ?? 'no number of'} threads`,
    args: ['--quick', '--serial-fraction', '0'],
  },
  'serial-part-never-pays': {
    says: 'With a serial part of 10 %, no number of threads would beat the better program.',
    holds: ({ costByAmdahl }) => costByAmdahl === null,
    values: ({ costByAmdahl }) => `${costByAmdahl ?? 'no number of'} threads`,
  },
})
