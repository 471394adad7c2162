/** Kills an upload between any two of its operations, and starts it again with the same file or with a changed one. */
import { crc32 } from 'node:zlib'
import { type Ended, type Play, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'

/** What a store has of one object. Parts have numbers from 0. */
export interface Store {
  /** Returns the CRC-32 of each part of the object; undefined if there is no object. */
  object: () => Promise<number[] | undefined>
  /** Returns the ids of the unfinished uploads of this object, the oldest first. */
  uploads: () => Promise<string[]>
  /** Begins an upload, and returns its id. */
  begin: () => Promise<string>
  /** Returns the CRC-32 of each part that an unfinished upload has; undefined for those it does not have. */
  parts: (upload: string) => Promise<(number | undefined)[]>
  /** Stores a part. One that the upload has already is replaced. */
  send: (upload: string, part: number, content: string) => Promise<void>
  /**
   * Makes the parts of an upload the object, which replaces an older one. Then the upload is no longer unfinished. Rejected
   * if the upload does not have exactly the parts with these CRC-32.
   */
  complete: (upload: string, checksums: number[]) => Promise<void>
}

type Solution = typeof import('./exercise.ts')

const file = ['Once ', 'upon ', 'a time']
const changed = ['Once ', 'more ', 'a time']

export default exercise<Solution>({
  async check({ upload }, { signal }) {
    for (const after of [file, changed]) {
      const begin = (stage: Stage) => new Transfer(stage, after).play(upload)
      const fault = await underEverySchedule(begin, { mostDeviations: 2, mostRuns: 500, signal })
      if (fault) return fault
    }
    return undefined
  },
})

class Transfer {
  readonly #stage: Stage
  /** The file as it is after the first kill. */
  readonly #after: readonly string[]
  #current: readonly string[] = file
  #object: string[] | undefined
  readonly #uploads = new Map<string, (string | undefined)[]>()
  #begun = 0
  /** A part that travelled in vain. */
  #wasted: { part: number; isComplete: boolean } | undefined

  constructor(stage: Stage, after: readonly string[]) {
    this.#stage = stage
    this.#after = after
  }

  play(upload: Solution['upload']): Play {
    const run = async () => {
      await upload(this.#current, this.#store())
      // Until somebody hears of it, it may still be killed.
      await this.#stage.step('says that it is done', () => {})
    }
    return {
      actors: { upload: run },
      mortal: ['upload', 'upload′'],
      mostKilled: 2,
      successor: () => {
        this.#current = this.#after
        return run
      },
      check: (ended) => this.#check(ended),
    }
  }

  #store(): Store {
    const stage = this.#stage
    const named = (upload: string) => {
      const parts = this.#uploads.get(upload)
      if (!parts) throw new Error(`NoSuchUpload: ${upload}`)
      return parts
    }
    const numbers = (parts: readonly unknown[]) =>
      parts.flatMap((part, number) => (part === undefined ? [] : [number])).join(', ') || 'none'
    return {
      object: () =>
        stage.step(
          (parts) => `looks for the object: ${parts ? `${parts.length} parts` : 'none'}`,
          () => this.#object?.map((content) => crc32(content)),
        ),
      uploads: () =>
        stage.step(
          (ids) => `lists uploads: ${ids.join(', ') || 'none'}`,
          () => [...this.#uploads.keys()],
        ),
      begin: () =>
        stage.step(
          (id) => `begins upload ${id}`,
          () => {
            const id = String.fromCharCode('A'.charCodeAt(0) + this.#begun++)
            this.#uploads.set(id, [])
            return id
          },
        ),
      parts: (id) =>
        stage.step(
          (parts) => `lists the parts of ${id}: ${numbers(parts)}`,
          () => Array.from(named(id), (content) => (content === undefined ? undefined : crc32(content))),
        ),
      send: (id, part, content) =>
        stage.step(`sends part ${part} to ${id}`, () => {
          const parts = named(id)
          const has = [...this.#uploads.values()].some((each) => each[part] === content)
          const isComplete = this.#object !== undefined && String(this.#object) === String(this.#current)
          if (has || isComplete) this.#wasted ??= { part, isComplete }
          parts[part] = content
        }),
      complete: (id, checksums) =>
        stage.step(`completes ${id}`, () => {
          const parts = named(id)
          const own = Array.from(parts, (content) => (content === undefined ? undefined : crc32(content)))
          if (String(own) !== String(checksums))
            throw new Error('InvalidPart: the upload does not have exactly these parts')
          this.#object = parts.filter((content) => content !== undefined)
          this.#uploads.delete(id)
        }),
    }
  }

  #check({ history }: Ended): Fault | undefined {
    const steps = withChange(history, this.#after !== file)
    if (this.#wasted) {
      const { part, isComplete } = this.#wasted
      const at = steps.findLastIndex(({ what }) => what.startsWith(`sends part ${part} `))
      // If it has begun another upload, that is why the part travels again.
      const begun = steps.slice(0, at).findLast(({ who, what }) => who === steps[at]?.who && what.startsWith('begins'))
      return {
        says: `Part ${part} travels again, although ${isComplete ? 'the object is complete' : 'the store has it'}.`,
        history: steps.slice(0, at + 1).slice(-longestHistory),
        line: begun?.line,
        why: isComplete
          ? 'A program that is killed before the answer arrives cannot know that the upload is complete: the object tells the next one.'
          : 'The store knows the parts of every unfinished upload: no other memory outlives a kill.',
      }
    }
    const shortened = {
      history: steps.filter(({ who, what }) => who === 'somebody' || !what.startsWith('says')).slice(-longestHistory),
    }
    if (!this.#object) return { says: 'The file does not get into the store.', ...shortened }
    if (String(this.#object) !== String(this.#current)) {
      return {
        says: 'The object is not the file.',
        expected: JSON.stringify(this.#current.join('')),
        received: JSON.stringify(this.#object.join('')),
        ...shortened,
        why: 'The file changed between two starts: a part counts as sent only if its checksum matches the file as it is now.',
      }
    }
    if (this.#uploads.size === 0) return undefined
    return {
      says: 'An unfinished upload stays in the store.',
      ...shortened,
      why: 'Its parts cost money and nobody sees them: a new start has to find and use them.',
    }
  }
}

/** Says in a history when the file changes: at the first kill. */
function withChange(history: readonly Step[], changes: boolean): Step[] {
  const at = history.findIndex(({ what }) => what === 'is killed')
  if (!changes || at < 0) return [...history]
  return history.toSpliced(at + 1, 0, { who: 'somebody', what: 'changes part 1 of the file' })
}
