/**
 * The job of the `checkpoint` example: which number below BELOW takes the most steps to 1 by n → n / 2 or 3 n + 1?
 *
 * It saves its state every few seconds, and when it is told to stop. If there is more to do, it ends with 85, the exit
 * code by which HTCondor recognises a job that has saved a checkpoint.
 */
import { writeFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { checkpointFile } from '@repo/common/async/checkpoint'
import { advance, begin, type CollatzState, isDone } from './collatz.ts'

const stopped = 85
const saveEveryMs = 5_000
const below = Number(process.env.BELOW)
const name = process.env.NAME ?? 'collatz'

let isToldToStop = false
process.on('SIGTERM', () => {
  isToldToStop = true
})

const file = checkpointFile<CollatzState>(name, {
  computation: `the longest Collatz sequence below ${below}`,
  parse: (value) => value as CollatzState,
})
const { state: saved, generation } = await file.load()
let state = saved ?? begin()
console.log(saved ? `goes on at ${state.next}, from checkpoint ${generation}` : 'begins at 1')
state.lives.push({ from: state.next, to: state.next, startedAt: Date.now(), endedAt: Date.now() })

// #region until-told
let savedAt = performance.now()
while (!isDone(state, below) && !isToldToStop) {
  state = advance(state, below, 20_000)
  if (performance.now() - savedAt > saveEveryMs) {
    await file.save(state)
    savedAt = performance.now()
  }
  // Signals are handled between two pieces of work.
  await setImmediate()
}
await file.save(state)
if (isDone(state, below)) {
  await writeFile(`${name}.json`, JSON.stringify(state))
  console.log(`done: ${state.best} takes ${state.steps} steps`)
} else {
  console.log(`told to stop: saved at ${state.next}`)
  process.exitCode = stopped
}
// #endregion until-told
