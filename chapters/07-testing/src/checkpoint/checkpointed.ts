/** A long computation in steps, whose state is saved every so often and whenever somebody asks for it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CheckpointFile, Loaded } from '@repo/common/async/checkpoint'

export interface Checkpointed<State> {
  file: CheckpointFile<State>
  /** What a computation that has never been saved begins with. */
  begin: State
  /** The next state; takes some milliseconds, for only between two steps can a signal be heard. */
  step: (state: State) => State
  isDone: (state: State) => boolean
  /** How long at most is computed without a save. */
  everyMs: number
  /** The state is saved before the computation ends with the signal's reason. */
  signal?: AbortSignal
  /** Saves at the next step what has been computed when it is asked and returns true. */
  saveNow?: () => boolean
  onLoaded?: (loaded: Loaded<State>) => void
  onStep?: (state: State) => void
  /** Called after each save with how long it took. */
  onSaved?: (state: State, ms: number, why: Why) => void
}

/** Why a state was saved: the computation stops or is done, somebody asked, or it was time. */
export type Why = 'end' | 'asked' | 'time'

/**
 * Goes on from the newest state saved and returns the last one, saved as well: asked again, it is there at once.
 *
 * Not saved are the computation's own threads, sockets and open files: a state is what can be written down.
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

  while (!isDone(state)) {
    state = step(state)
    onStep?.(state)
    // Signals and timers are heard between two turns of the event loop, and nowhere else.
    await nextTurn()
    const stop = signal?.aborted ?? false
    if (stop || isDone(state)) await save('end')
    else if (saveNow?.()) await save('asked')
    else if (performance.now() - savedAt >= everyMs) await save('time')
    if (stop) signal?.throwIfAborted()
  }
  return state
}
