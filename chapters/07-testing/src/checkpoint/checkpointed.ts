/** A long computation in steps, whose state is saved from time to time and on request. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CheckpointFile, Loaded } from '@repo/common/async/checkpoint'

export interface Checkpointed<State> {
  file: CheckpointFile<State>
  /** The state at the beginning, when none has been saved. */
  begin: State
  /** Returns the next state. A step should take a few milliseconds: signals are only noticed between two steps. */
  step: (state: State) => State
  isDone: (state: State) => boolean
  /** The longest time without a save. */
  everyMs: number
  /** On abort, the state is saved, and the computation rejects with the signal's reason. */
  signal?: AbortSignal
  /** Asked after each step; the state is saved when it returns true. */
  saveNow?: () => boolean
  onLoaded?: (loaded: Loaded<State>) => void
  onStep?: (state: State) => void
  /** Called after each save; `ms` is the time that it took. */
  onSaved?: (state: State, ms: number, why: Why) => void
}

/** Why a state was saved: the computation was stopped or is done, a save was requested, or it was time. */
export type Why = 'end' | 'asked' | 'time'

/**
 * Resumes from the newest saved state and returns the last one. That is saved as well, so the next call returns it at
 * once.
 *
 * Threads, sockets and open files are not saved: a state is what can be serialized.
 */
export async function runCheckpointed<State>(computation: Checkpointed<State>): Promise<State> {
  const { file, begin, step, isDone, everyMs, signal, saveNow, onLoaded, onStep, onSaved } = computation
  const loaded = await file.load()
  onLoaded?.(loaded)
  let state = loaded.state ?? begin
  let savedAt = performance.now()

  async function save(why: Why) {
    const start = performance.now()
    await file.save(state)
    savedAt = performance.now()
    onSaved?.(state, savedAt - start, why)
  }

  // #region loop
  while (!isDone(state)) {
    state = step(state)
    onStep?.(state)
    // Signals and timers are only noticed between two turns of the event loop.
    await nextTurn()
    const stop = signal?.aborted ?? false
    if (stop || isDone(state)) await save('end')
    else if (saveNow?.()) await save('asked')
    else if (performance.now() - savedAt >= everyMs) await save('time')
    if (stop) signal?.throwIfAborted()
  }
  // #endregion loop
  return state
}
