/**
 * Saves the state of a long computation, so that it can resume after the program or the machine has ended.
 *
 * There are two files, PATH.a and PATH.b, and a save replaces the older one. It writes a file under another name,
 * forces it to the disk, renames it, and forces the folder to the disk. So at every moment there is a whole generation,
 * and also the one before it, in case the newer one turns out to be damaged. A file has three lines of text: a
 * description, the state as JSON, and the SHA-256 of these two lines.
 */
import { createHash } from 'node:crypto'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** The steps of a save, in order. A program that is killed at any of them loses nothing that was saved before. */
export type SaveStep = 'half written' | 'written' | 'synced' | 'renamed' | 'saved'

export interface CheckpointOptions<State> {
  /** Names the computation and its parameters, such as `primes below 1000`. The state of another one is refused. */
  computation: string
  /** Turns the parsed JSON into a state, or throws: a zod schema's `parse`. */
  parse: (value: unknown) => State
  /** Called at each step of a save; the save waits for it. */
  onStep?: (step: SaveStep) => unknown
}

export interface Loaded<State> {
  /** The newest whole state; undefined if there is none. */
  state: State | undefined
  /** How many times the state had been saved; 0 without a state. */
  generation: number
  savedAt: Date | undefined
  /** Files that exist but cannot be used, and why. */
  damaged: { file: string; why: string }[]
}

export interface CheckpointFile<State> {
  /** @throws an Error when the state belongs to another computation, or when this user may not read it */
  load: () => Promise<Loaded<State>>
  /** Resolves when the state is on the disk. Overlapping saves run one after the other. */
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

/** Returns the checkpoint at a path. Nothing is read or written until one of its methods is called. */
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
    // This name is unique to the process. Two programs with the same checkpoint may replace each other's files, but
    // every file stays whole.
    const unfinished = `${path}.${hostname()}-${process.pid}.tmp`
    try {
      const handle = await open(unfinished, 'w', 0o600)
      try {
        const half = Math.floor(text.length / 2)
        await handle.appendFile(text.subarray(0, half))
        await onStep('half written')
        await handle.appendFile(text.subarray(half))
        await onStep('written')
        // Without this, the new name may reach the disk before the content does; a power cut then leaves an empty file.
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

/** Returns the content of a file, or says what is wrong with it. */
function decode(text: string): (Description & { state: unknown }) | string {
  const [description = '', state = '', checksum = '', ...rest] = text.split('\n')
  // Three whole lines leave an empty string behind the last line break.
  if (rest.length === 0) return `truncated: ${Buffer.byteLength(text)} bytes without an end`
  if (rest.length > 1 || checksum !== sha256(`${description}\n${state}\n`)) return 'its checksum is wrong'
  return { ...(JSON.parse(description) as Description), state: JSON.parse(state) }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** A rename is on the disk when its folder is. Windows cannot open folders, and does not need this. */
async function syncFolder(folder: string) {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes the unfinished files of programs that were killed during a save, on this machine. */
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
