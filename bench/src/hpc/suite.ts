/** Many small tasks on a host by SSH: what each way to send them costs, and how that grows with their number. */
import { drawGrowth } from '@repo/common/output/costs'
import { count } from '@repo/common/output/terminal'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { growthOf, growthTables, measureSizes } from '../harness/growth.ts'
import { measured, type Suite } from '../harness/suite.ts'
import { startEach } from '../harness/turns.ts'
import { atOnce, type Contender, contenders as known } from './contenders.ts'
import { type Host, settings, startHost } from './host.ts'

const metric = 'ms'

/** Numbers of tasks. */
const sizes = { quick: [4, 12, 36, 100], full: [10, 30, 100, 1_000] }
/** A thousand tasks in the loop take minutes. */
const rounds = 1
const smallerRounds = { quick: 1, full: 2 }
const limitMs = 600_000

/** Returns the suite with some contenders on a host: in tests, with tasks that fail and where there is none. */
export const hpcWith = (
  contenders: Readonly<Record<string, Contender>>,
  start: (signal: AbortSignal) => Promise<Host> = startHost,
): Suite => ({
  metrics: { [metric]: { label: 'time', better: 'less' } },
  contenders,

  async measure(rows, { quick, signal, onProgress }) {
    const scale = quick ? 'quick' : 'full'
    await using stack = new AsyncDisposableStack()
    // Without a host, each contender that needs one is a row that says why.
    const starting = start(signal)
    starting.catch(() => {})
    stack.defer(async () => await (await starting.catch(() => undefined))?.[Symbol.asyncDispose]())
    const started = await startEach(
      rows,
      { stack, limitMs, signal, onProgress: (what, share) => onProgress(what, 0.1 * share) },
      ({ id }) => (contenders[id] as Contender).start({ host: () => starting, signal }),
    )
    const options = {
      metric,
      sizes: sizes[scale],
      rounds,
      smallerRounds: smallerRounds[scale],
      limitMs,
      signal,
    }
    await measureSizes(
      rows,
      { ...options, warmsUpOnce: true, onProgress: (share) => onProgress('running tasks', 0.1 + 0.9 * share) },
      async (size) => {
        const numbers = Array.from({ length: size }, (_, at) => at + 1)
        const tasks = numbers.map((number) => `expr ${number - 1} + 1`)
        return async (row, stop) => {
          const begin = performance.now()
          const outputs = (await started.get(row)?.run(tasks, stop)) ?? []
          const ms = performance.now() - begin
          const results = outputs.map(Number).sort((a, b) => a - b)
          if (String(results) !== String(numbers)) throw new Error(`other results than 1 to ${size}`)
          return ms
        }
      },
    )
  },

  tables: (rows) =>
    growthTables(rows, metric, {
      title: (size) => `${count(size)} tasks on a host by SSH`,
      unit: 'tasks',
      notes: [
        `Each task is a command that adds two numbers. The host is sshd on this machine: MaxSessions ${settings.MaxSessions}, MaxStartups ${settings.MaxStartups}, and ${settings.KexAlgorithms} as its only key exchange. Each begins without a connection, chapter 6 and Paramiko in a process that is there. Chapter 6 has up to ${atOnce} tasks running at once. The limit: the same commands by this machine's shell, ${atOnce} at once. Slope: of time against the number of tasks on logarithmic axes, over four sizes.`,
      ],
    }),
  pictures: (rows) => {
    const shown = measured(rows).filter(({ id }) => id !== 'master')
    const ways = shown.map((row) => [row.label, growthOf(row, metric)])
    return { hpc: drawGrowth('Small tasks on a host by SSH', 'tasks', Object.fromEntries(ways)) }
  },
})

export const hpc = hpcWith(known)
