/**
 * The state of a long computation in files that can be resumed from whenever the program, or the machine, ends.
 *
 * There are two of them, PATH.a and PATH.b, and a save replaces the older: written under another name, forced to the disk,
 * renamed, and the folder forced to the disk as well. So one whole generation is there at every moment, and the one before
 * it too, for when the newer turns out to be damaged. Each is three lines of text: what it is, the state as JSON, and the
 * SHA-256 of both lines.
 */
import { createHash } from 'node:crypto'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** A moment in a save, in their order; a program that is killed at any of them loses nothing that was saved before. */
export type SaveStep = 'half written' | 'written' | 'synced' | 'renamed' | 'saved'

export interface CheckpointOptions<State> {
  /** What is computed, with what it depends on, such as `primes below 1000`: the state of something else is refused. */
  computation: string
  /** Turns what JSON carries back into the state and throws if it cannot be one: a zod schema's `parse`. */
  parse: (value: unknown) => State
  /** Called at each step of a save; the save waits for it. */
  onStep?: (step: SaveStep) => unknown
}

export interface Loaded<State> {
  /** The newest state that is whole; undefined when there is none. */
  state: State | undefined
  /** How many times the state had been saved; 0 without a state. */
  generation: number
  savedAt: Date | undefined
  /** Files that are there and cannot be used, and why. */
  damaged: { file: string; why: string }[]
}

export interface CheckpointFile<State> {
  /** @throws an Error when the state is that of another computation, or may not be read */
  load: () => Promise<Loaded<State>>
  /** Fulfilled when the state is on the disk. Saves that overlap are done one after the other. */
  save: (state: State) => Promise<void>
  /** Removes both generations. */
  remove: () => Promise<void>
}

interface Generation<State> {
  file: string
  state: State
  generation: number
  savedAt: Date
}

/** The checkpoint at a path; nothing is read or written before it is asked for. */
export function checkpointFile<State>(
  path: string,
  { computation, parse, onStep = () => {} }: CheckpointOptions<State>,
): CheckpointFile<State> {
  const slots = [`${path}.a`, `${path}.b`] as const
  const folder = dirname(path)
  /** The file that holds the newest whole generation. */
  let newest: { file: string | undefined; generation: number } | undefined
  let saving: Promise<unknown> = Promise.resolve()

  async function load(): Promise<Loaded<State>> {
    const damaged: Loaded<State>['damaged'] = []
    const whole: Generation<State>[] = []
    for (const file of slots) {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
      if (text === undefined) continue
      const content = decode(text)
      if (typeof content === 'string') damaged.push({ file, why: content })
      else if (content.computation !== computation) {
        throw new Error(`${file} is the state of "${content.computation}", not of "${computation}"`)
      } else {
        try {
          whole.push({ file, ...content, state: parse(content.state), savedAt: new Date(content.savedAt) })
        } catch (error) {
          damaged.push({ file, why: `not a state of this computation: ${String(error).replaceAll(/\s+/g, ' ')}` })
        }
      }
    }
    const best = whole.sort((a, b) => b.generation - a.generation)[0]
    newest = { file: best?.file, generation: best?.generation ?? 0 }
    return { state: best?.state, generation: newest.generation, savedAt: best?.savedAt, damaged }
  }

  async function write(state: State) {
    if (!newest) await load()
    const target = newest?.file === slots[0] ? slots[1] : slots[0]
    const generation = (newest?.generation ?? 0) + 1
    const text = encode({ computation, generation, savedAt: new Date().toISOString() }, state)
    // Of one process only: two programs with the same checkpoint replace each other's whole files, and mix nothing.
    const unfinished = `${path}.${hostname()}-${process.pid}.tmp`
    try {
      const handle = await open(unfinished, 'w', 0o600)
      try {
        const half = Math.floor(text.length / 2)
        await handle.appendFile(text.subarray(0, half))
        await onStep('half written')
        await handle.appendFile(text.subarray(half))
        await onStep('written')
        // Without this the new name may be on the disk before the content is: after a power cut, an empty file.
        await handle.sync()
        await onStep('synced')
      } finally {
        await handle.close()
      }
      await rename(unfinished, target)
      await onStep('renamed')
      await syncFolder(folder)
    } catch (error) {
      await rm(unfinished, { force: true })
      throw new Error(`the state cannot be saved in ${folder}`, { cause: error })
    }
    newest = { file: target, generation }
    await onStep('saved')
  }

  return {
    async load() {
      await removeUnfinished(path)
      return await load()
    },
    save(state) {
      const done = saving.then(() => write(state))
      saving = done.catch(() => {})
      return done
    },
    async remove() {
      await saving
      for (const file of slots) await rm(file, { force: true })
      newest = { file: undefined, generation: 0 }
    },
  }
}

interface Description {
  computation: string
  generation: number
  savedAt: string
}

function encode(description: Description, state: unknown): Buffer {
  const lines = `${JSON.stringify(description)}\n${JSON.stringify(state)}\n`
  return Buffer.from(`${lines}${sha256(lines)}\n`)
}

/** The content of a file, or in words what is wrong with it. */
function decode(text: string): (Description & { state: unknown }) | string {
  const [description = '', state = '', checksum = '', ...rest] = text.split('\n')
  // Three whole lines leave one empty text behind them.
  if (rest.length === 0) return `truncated: ${Buffer.byteLength(text)} bytes without an end`
  if (rest.length > 1 || checksum !== sha256(`${description}\n${state}\n`)) return 'its checksum is wrong'
  return { ...(JSON.parse(description) as Description), state: JSON.parse(state) }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** A rename is on the disk when its folder is. Windows cannot open folders, and needs no such thing. */
async function syncFolder(folder: string) {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes what a program killed in the middle of a save left behind: one on this machine that runs no longer. */
async function removeUnfinished(path: string) {
  const before = `${basename(path)}.${hostname()}-`
  for (const file of await readdir(dirname(path))) {
    const pid = file.startsWith(before) ? /^(\d+)\.tmp$/.exec(file.slice(before.length))?.[1] : undefined
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(dirname(path), file), { force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
