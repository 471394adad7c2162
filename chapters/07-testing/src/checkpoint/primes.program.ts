/** Counts primes in a process of its own and saves its state, until it is done or ended. Started by lives.ts. */
import { checkpointFile, type SaveStep } from '@repo/common/async/checkpoint'
import { ready } from '@repo/common/process/ready'
import { runCheckpointed, type Why } from './checkpointed.ts'
import { noPrimes, type PrimesState, primesBelow, primesState } from './primes.ts'

export interface PrimesSettings {
  limit: number
  path: string
  everyMs: number
  /** It kills itself by SIGKILL at this step of its second save. */
  dieAt?: SaveStep
}

export type PrimesMessage =
  | { kind: 'loaded'; next: number; generation: number; damaged: { file: string; why: string }[] }
  | { kind: 'reached' | 'done'; state: PrimesState }
  | { kind: 'saved'; next: number; ms: number; why: Why }

const { limit, path, everyMs, dieAt } = JSON.parse(process.argv[2] ?? '') as PrimesSettings
const tell = (message: PrimesMessage) => void process.send?.(message, undefined, undefined, () => {})

const ending = new AbortController()
// A batch scheduler sends SIGTERM shortly before the walltime is up: save and exit.
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => ending.abort(new Error(name)))
let asked = false
// "Save now and go on". Windows has no such signal.
if (process.platform !== 'win32') {
  process.on('SIGUSR2', () => {
    asked = true
  })
}

let saves = 0
const file = checkpointFile(path, {
  computation: `primes below ${limit}`,
  parse: (value) => primesState.parse(value),
  onStep: (step) => {
    if (saves === 1 && step === dieAt) process.kill(process.pid, 'SIGKILL')
  },
})
ready()
try {
  const state = await runCheckpointed<PrimesState>({
    file,
    begin: noPrimes,
    step: primesBelow(limit),
    isDone: ({ next }) => next >= limit,
    everyMs,
    signal: ending.signal,
    saveNow: () => {
      const now = asked
      asked = false
      return now
    },
    onLoaded: ({ state, generation, damaged }) => tell({ kind: 'loaded', next: state?.next ?? 0, generation, damaged }),
    onStep: (state) => tell({ kind: 'reached', state }),
    onSaved: ({ next }, ms, why) => {
      saves++
      tell({ kind: 'saved', next, ms, why })
    },
  })
  tell({ kind: 'done', state })
} catch (error) {
  if (!ending.signal.aborted) throw error
}
process.disconnect?.()
