/** Cuts the power before, between and after the operations of a save, on a simulated disk with a cache. */
import { underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'

type Solution = typeof import('./exercise.ts')

/** A disk with a cache. What is only in the cache may be lost in a power cut. */
export interface Disk {
  /** Replaces the content of a file, or creates the file. */
  write(name: string, content: string): Promise<void>
  /** Returns when the content of a file is on the disk. */
  sync(name: string): Promise<void>
  /** Gives a file another name, in place of the file that had it. */
  rename(from: string, to: string): Promise<void>
  /** Returns when all names are on the disk. */
  syncFolder(): Promise<void>
}

/** A file without its name. */
interface File {
  /** What is on the disk, and what programs see. */
  synced: string
  seen: string
}
type Names = Map<string, File>

const name = 'state'
const content = { old: 'step 1', new: 'step 2' }

class SimulatedDisk {
  /** The names that programs see, those on the disk, and the changes that lie between them. */
  #seen: Names
  #synced: Names
  #changes: ((names: Names) => void)[] = []

  constructor(names: Names) {
    this.#seen = new Map(names)
    this.#synced = new Map(names)
  }

  write(name: string, content: string): void {
    const file = this.#seen.get(name) ?? { synced: '', seen: '' }
    if (!this.#seen.has(name)) this.#change((names) => names.set(name, file))
    file.seen = content
  }

  sync(name: string): void {
    const file = this.#find(name)
    file.synced = file.seen
  }

  rename(from: string, to: string): void {
    const file = this.#find(from)
    this.#change((names) => {
      names.delete(from)
      names.set(to, file)
    })
  }

  syncFolder(): void {
    this.#synced = new Map(this.#seen)
    this.#changes = []
  }

  read(name: string): string | undefined {
    return this.#seen.get(name)?.seen
  }

  /** Everything that a name may refer to after a power cut, with what the file may contain. */
  *afterPowerCut(name: string): Generator<{ file: File | undefined; content: string | undefined }> {
    for (let done = 0; done <= this.#changes.length; done++) {
      const names: Names = new Map(this.#synced)
      for (const change of this.#changes.slice(0, done)) change(names)
      const file = names.get(name)
      if (!file) yield { file, content: undefined }
      else if (file.seen === file.synced) yield { file, content: file.seen }
      else {
        const half = file.seen.slice(0, file.seen.length / 2)
        for (const content of [file.synced, '', half, file.seen]) yield { file, content }
      }
    }
  }

  #find(name: string): File {
    const file = this.#seen.get(name)
    if (!file) throw new Error(`ENOENT: no such file, "${name}"`)
    return file
  }

  #change(change: (names: Names) => void) {
    this.#changes.push(change)
    change(this.#seen)
  }
}

/** Returns what is wrong after a power cut. */
function faultOf(
  disk: SimulatedDisk,
  isSaved: boolean,
  old: File | undefined,
): (Fault & { found: string }) | undefined {
  for (const { file, content: found } of disk.afterPowerCut(name)) {
    const received = found === undefined ? `no file "${name}"` : `"${found}"`
    const expected = isSaved ? `"${content.new}"` : `${old ? `"${content.old}"` : 'no file'} or "${content.new}"`
    const fault = { found: received, expected, received }
    if (found === content.new) continue
    if (found === content.old || (found === undefined && !old)) {
      if (!isSaved) continue
      const says = `save has returned, and a power cut ${old ? 'brings the old content back' : 'takes the file away'}.`
      return { says, ...fault, why: 'A name is on the disk when the folder was synced, and not before.' }
    }
    if (found === undefined) return { says: 'A power cut leaves no file at all.', ...fault }
    if (file === old) {
      const why = 'A file that was written and not yet synced has any part of its content.'
      return { says: 'A power cut destroys the old content before the new one is complete.', ...fault, why }
    }
    const why = 'The disk may have the name earlier than the content.'
    return { says: 'A power cut leaves the name on an incomplete file.', ...fault, why }
  }
  return undefined
}

export default exercise<Solution>({
  async check({ save }, { signal }) {
    for (const exists of [true, false]) {
      const fault = await underEverySchedule(
        (stage) => {
          const old = exists ? { synced: content.old, seen: content.old } : undefined
          const disk = new SimulatedDisk(new Map<string, File>(old ? [[name, old]] : []))
          const steps: Disk = {
            write: (to, text) => stage.step(`writes ${to}`, () => disk.write(to, text)),
            sync: (of) => stage.step(`syncs ${of}`, () => disk.sync(of)),
            rename: (from, to) => stage.step(`renames ${from} to ${to}`, () => disk.rename(from, to)),
            syncFolder: () => stage.step('syncs the folder', () => disk.syncFolder()),
          }
          return {
            actors: { save: async () => await save(steps, name, content.new) },
            mortal: ['save'],
            check({ killed, history }) {
              const isSaved = killed.length === 0
              if (isSaved && disk.read(name) !== content.new) {
                const found = disk.read(name)
                return {
                  says: 'save returns, and the file does not have the new content.',
                  expected: `"${content.new}"`,
                  received: found === undefined ? 'no file' : `"${found}"`,
                }
              }
              const fault = faultOf(disk, isSaved, old)
              if (!fault) return undefined
              const power: Step = { who: 'power', what: 'fails' }
              const done = history.filter(({ what }) => what !== 'is killed')
              const { found, ...rest } = fault
              return { ...rest, history: [...done, power, { who: 'disk', what: `has ${found}` }] }
            },
          }
        },
        { signal, mostDeviations: 2 },
      )
      if (fault) return fault
    }
    return undefined
  },
})
