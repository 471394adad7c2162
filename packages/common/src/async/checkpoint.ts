/**
 * Saves the state of a long computation, so that it can resume after the program or the machine has ended.
 *
 * There are two files, PATH.a and PATH.b, and a save replaces the older one. It writes a file under another name,
 * forces it to the disk, reads it back, renames it, and forces the folder to the disk. So at every moment there is a whole
 * generation, and also the one before it, in case the newer one turns out to be damaged. A file has three lines of text: a
 * description, the state as JSON, and the SHA-256 of these two lines.
 */
import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import { threadId } from 'node:worker_threads'
import { errorOf } from '../output/errors.ts'

/** The steps of a save, in order. A program that is killed at any of them loses nothing that was saved before. */
export type SaveStep = 'half written' | 'written' | 'synced' | 'renamed' | 'saved'

export interface CheckpointOptions<State> {
  /** Names the computation and its parameters, such as `primes below 1000`. The state of another one is refused. */
  computation: string
  /**
   * Turns the parsed JSON into a state, or throws: a zod schema's `parse`. What it returns must have everything that was
   * saved, as it was; it may fill in what was missing, such as defaults.
   */
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
  /**
   * @throws an Error when the state belongs to another computation, when this user may not read it, or when something
   * else has a name that the checkpoint needs
   */
  load: () => Promise<Loaded<State>>
  /**
   * Resolves when the state is on the disk, as it was at the call. Overlapping saves run one after the other, those of
   * all checkpoints of this process with this path. Programs do not wait for one another: a save that finds newer
   * generations, of another program, begins anew and replaces the older one of them.
   *
   * @throws an Error when the state is not on the disk, or would not be the same when it is loaded: JSON has no Infinity,
   * no Map, and no undefined in a list. What JSON does not even look at is no part of the state: properties named by a
   * symbol, hidden ones, and those of a list besides its items. What was saved before is still there.
   */
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

/** The last save of each path in this process. Another checkpoint may have the same path. */
const saving = new Map<string, Promise<unknown>>()

/** Returns the checkpoint at a path. Nothing is read or written until one of its methods is called. */
export function checkpointFile<State>(
  path: string,
  { computation, parse, onStep = () => {} }: CheckpointOptions<State>,
): CheckpointFile<State> {
  const slots = [`${path}.a`, `${path}.b`] as const
  const folder = dirname(path)
  /** The file that holds the newest whole generation, and the state of both files when they were read. */
  let newest: { file?: string | undefined; generation: number; seen?: string } = { generation: 0 }

  async function load(): Promise<Loaded<State>> {
    const damaged: Loaded<State>['damaged'] = []
    const whole: Generation<State>[] = []
    // Before they are read: a change in the meantime is then noticed by the next save.
    const seen = await look(slots)
    for (const file of slots) {
      if (!(await isThere(file))) continue
      const content = await readFile(file, 'utf8').then(decode, unreadable)
      if (typeof content === 'string') damaged.push({ file, why: content })
      else if (content.computation !== computation) {
        throw new Error(`${file} is the state of "${content.computation}", not of "${computation}"`)
      } else {
        try {
          whole.push({ file, ...content, state: parse(content.state), savedAt: new Date(content.savedAt) })
        } catch (error) {
          damaged.push({ file, why: notAState(error) })
        }
      }
    }
    const best = whole.sort((a, b) => b.generation - a.generation)[0]
    newest = { file: best?.file, generation: best?.generation ?? 0, seen }
    return { state: best?.state, generation: newest.generation, savedAt: best?.savedAt, damaged }
  }

  async function write(json: string) {
    for (let times = 0; times < 10; times++) if (await replaceOlder(json)) return
    throw new Error(`another program saves at ${path} all the time`)
  }

  /** Returns false, and has replaced nothing, if another program saved in the meantime. */
  async function replaceOlder(json: string): Promise<boolean> {
    if (newest.seen !== (await look(slots))) await load()
    const target = newest.file === slots[0] ? slots[1] : slots[0]
    const generation = newest.generation + 1
    const text = encode({ computation, generation, savedAt: new Date().toISOString() }, json)
    // This name is unique to the thread. Two programs with the same checkpoint may replace each other's files, but every
    // file stays whole.
    const unfinished = `${path}.${hostname()}-${process.pid}-${threadId}.tmp`
    let seen: string
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
      if (!text.equals(await readFile(unfinished)))
        throw new Error(`${unfinished} has another content than was written`)
      // A file that is renamed stays what it is. In this order, what another program does at any time is noticed, by this
      // save or by the next one.
      seen = await look(slots.map((slot) => (slot === target ? unfinished : slot)))
      if (newest.seen !== (await look(slots))) {
        await rm(unfinished)
        return false
      }
      await rename(unfinished, target)
      await onStep('renamed')
      await syncFolder(folder)
    } catch (error) {
      // What went wrong first counts.
      await rm(unfinished, { force: true }).catch(() => {})
      throw error
    }
    newest = { file: target, generation, seen }
    await onStep('saved')
    return true
  }

  return {
    async load() {
      await removeUnfinished(path)
      return await load()
    },
    async save(state) {
      const key = place(path)
      let settled: Promise<void> | undefined
      try {
        // At once: the caller may change the state while it waits.
        const json = jsonOf(state, parse)
        const done = (saving.get(key) ?? Promise.resolve()).then(() => write(json))
        settled = done.catch(() => {})
        saving.set(key, settled)
        await done
      } catch (cause) {
        throw new Error(`the state cannot be saved in ${folder}`, { cause })
      } finally {
        if (settled && saving.get(key) === settled) saving.delete(key)
      }
    },
    async remove() {
      await saving.get(place(path))
      for (const file of slots) if (await isThere(file)) await rm(file, { force: true })
    },
  }
}

/**
 * Returns whether there is a file.
 *
 * @throws an Error if something else has its name
 */
async function isThere(file: string): Promise<boolean> {
  try {
    const found = await stat(file)
    if (found.isFile()) return true
    throw new Error(`${file} is ${found.isDirectory() ? 'a folder' : 'no file'}, where the checkpoint needs a file`)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return false
    if (code !== 'ELOOP') throw cause
    throw new Error(`${file} is a link that leads to itself, where the checkpoint needs a file`, { cause })
  }
}

/** Returns one name for a path, whatever links lead to its folder. */
function place(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    // The save itself says what is wrong with the folder.
    return resolve(path)
  }
}

/** Returns what changes when another program saves. */
async function look(slots: readonly string[]): Promise<string> {
  const found = await Promise.all(slots.map((file) => stat(file, { bigint: true }).catch(() => undefined)))
  return found.map((slot) => [slot?.ino, slot?.size, slot?.mtimeNs].join(' ')).join()
}

const notAState = (error: unknown) =>
  `not a state of this computation: ${String(errorOf(error)).replaceAll(/\s+/g, ' ')}`

/**
 * Returns JSON that gives back the state.
 *
 * @throws an Error if there is none
 */
function jsonOf<State>(state: State, parse: (value: unknown) => State): string {
  // Undefined gives no text at all.
  const plain: string | undefined = JSON.stringify(state)
  const json = plain ?? 'null'
  if (whyNot(state, json, parse) === undefined) return json
  // JSON has a negative zero, but `stringify` writes it as 0. Looking at every value takes several times as long.
  const exact = JSON.stringify(state, (_, value) => (Object.is(value, -0) ? rawJson('-0') : value)) ?? json
  const why = whyNot(state, exact, parse)
  if (why !== undefined) throw new Error(why)
  return exact
}

/** Says why the JSON does not give back the state; undefined if it does. */
function whyNot<State>(state: State, json: string, parse: (value: unknown) => State): string | undefined {
  let back: unknown = JSON.parse(json)
  let refusal: string | undefined
  try {
    back = parse(back)
  } catch (error) {
    refusal = notAState(error)
  }
  return difference(state, back, 'state') ?? refusal
}

/**
 * Says which part of the state would not come back as it is. An undefined property may be missing, and a schema may add
 * properties that it fills in.
 */
function difference(saved: unknown, back: unknown, name: string): string | undefined {
  if (Object.is(saved, back)) return undefined
  if (Array.isArray(saved) && Array.isArray(back) && saved.length === back.length) {
    for (let at = 0; at < saved.length; at++) {
      // Without a name for each of a million numbers.
      const found = Object.is(saved[at], back[at]) ? undefined : difference(saved[at], back[at], `${name}[${at}]`)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (isPlain(saved) && isPlain(back)) {
    for (const key of Object.keys(saved)) {
      const found = difference(saved[key], back[key], `${name}.${key}`)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (typeof saved === 'object' && isDeepStrictEqual(saved, back)) return undefined
  return `${name} is ${shown(saved)} and would come back as ${shown(back)}`
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)

const shown = (value: unknown) =>
  inspect(value, { breakLength: Infinity, compact: true, depth: 0, maxArrayLength: 3, maxStringLength: 50 })

interface Description {
  computation: string
  generation: number
  savedAt: string
}

function encode(description: Description, json: string): Buffer {
  const lines = `${JSON.stringify(description)}\n${json}\n`
  return Buffer.from(`${lines}${sha256(lines)}\n`)
}

/** Returns the content of a file, or says what is wrong with it. */
function decode(text: string): (Description & { state: unknown }) | string {
  const [description = '', state = '', checksum = '', ...rest] = text.split('\n')
  // Three whole lines leave an empty string behind the last line break.
  if (rest.length === 0) return `truncated: ${Buffer.byteLength(text)} bytes without an end`
  if (rest.length > 1 || checksum !== sha256(`${description}\n${state}\n`)) return 'its checksum is wrong'
  try {
    const { computation, generation, savedAt } = (JSON.parse(description) ?? {}) as Partial<Description>
    if (typeof computation !== 'string' || !Number.isSafeInteger(generation) || Number.isNaN(Date.parse(`${savedAt}`)))
      return 'its first line is no description of a state'
    return { computation, generation: Number(generation), savedAt: `${savedAt}`, state: JSON.parse(state) }
  } catch {
    return 'its checksum is right, but its lines are not JSON'
  }
}

/** Says what is wrong with a file of which the disk has lost a part. All other errors are thrown. */
function unreadable(error: NodeJS.ErrnoException): string {
  if (error.code !== 'EIO') throw error
  return 'the disk cannot read it (EIO)'
}

/** TypeScript does not declare this function yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON: (text: string) => unknown }

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/**
 * A rename is on the disk when its folder is. Windows cannot open folders, and some network file systems cannot force them
 * to the disk: nothing more can be done there.
 */
async function syncFolder(folder: string) {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
  } finally {
    await handle.close()
  }
}

/** Removes the unfinished files of programs that were killed during a save, on this machine. */
async function removeUnfinished(path: string) {
  const before = `${basename(path)}.${hostname()}-`
  const folder = dirname(path)
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    throw new Error(`the checkpoint's folder ${folder} cannot be read`, { cause })
  })
  for (const entry of entries) {
    const pid = entry.name.startsWith(before)
      ? /^(\d+)-\d+\.tmp$/.exec(entry.name.slice(before.length))?.[1]
      : undefined
    // Whatever else has such a name is not ours.
    if (pid !== undefined && entry.isFile() && !isRunning(Number(pid)))
      await rm(join(folder, entry.name), { force: true })
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
