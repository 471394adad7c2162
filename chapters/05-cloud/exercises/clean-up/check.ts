/** Kills a clean-up between any two of its operations and starts it again, and runs it twice at the same time. */
import { type Ended, type Play, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'

export interface Resource {
  name: string
  /** The value of its tag: who has created it. */
  createdBy: string
}

/** Why a resource cannot be removed: it is gone already, another one uses it, or it is kept for ever. */
export interface CloudError extends Error {
  code: 'NotFound' | 'InUse' | 'Locked'
}

export interface Cloud {
  /** Returns a page of the resources in the order of their names, and what to pass for the next one if there is more. */
  list: (after?: string) => Promise<{ resources: Resource[]; next: string | undefined }>
  /** Removes a resource. Rejected with a CloudError. */
  remove: (name: string) => Promise<void>
}

type Solution = typeof import('./exercise.ts')

const owner = 'course'
const all: readonly Resource[] = [
  { name: 'archive', createdBy: 'somebody else' },
  { name: 'course-alarm', createdBy: owner },
  { name: 'course-bucket', createdBy: owner },
  { name: 'course-group', createdBy: owner },
  { name: 'course-machine', createdBy: owner },
  { name: 'course-notes', createdBy: 'somebody else' },
  { name: 'course-vault', createdBy: owner },
  { name: 'course-watch', createdBy: owner },
]
/** What uses each: no order of names is right, and the vault keeps the bucket for ever. */
const usedBy = new Map([
  ['course-group', 'course-machine'],
  ['course-machine', 'course-watch'],
  ['course-watch', 'course-alarm'],
  ['course-bucket', 'course-vault'],
])
const locked = 'course-vault'
/** What cannot be removed. */
const kept = ['course-bucket', locked]
const pageSize = 2

export default exercise<Solution>({
  async check({ cleanUp }, { signal }) {
    for (const names of [['clean-up'], ['clean-up 1', 'clean-up 2']]) {
      const begin = (stage: Stage) => new Account(stage).play(cleanUp, names)
      const fault = await underEverySchedule(begin, { mostDeviations: 2, mostRuns: 600, signal })
      if (fault) return fault
    }
    return undefined
  },
})

class Account {
  readonly #stage: Stage
  readonly #resources = new Map(all.map((resource) => [resource.name, resource]))

  constructor(stage: Stage) {
    this.#stage = stage
  }

  play(cleanUp: Solution['cleanUp'], names: readonly string[]): Play {
    const run = async () => {
      const left = await cleanUp(this.#cloud(), owner)
      await this.#stage.step(`says what is left: ${left.map(short).join(', ') || 'nothing'}`, () => {})
      return left
    }
    return {
      actors: Object.fromEntries(names.map((name) => [name, run])),
      // Two at once are surprise enough.
      mortal: names.length === 1 ? names : [],
      successor: () => run,
      mayThrow: true,
      check: (ended) => this.#check(ended),
    }
  }

  #cloud(): Cloud {
    const stage = this.#stage
    return {
      list: (after = '') =>
        stage.step(
          ({ resources }) => `lists ${resources.map(({ name }) => short(name)).join(', ') || 'nothing'}`,
          () => {
            const rest = [...this.#resources.values()].filter(({ name }) => name > after)
            const resources = rest.slice(0, pageSize)
            return { resources, next: rest.length > pageSize ? resources.at(-1)?.name : undefined }
          },
        ),
      remove: async (name) => {
        const refused = await stage.step(
          (code: CloudError['code'] | undefined) => `removes ${short(name)}${code ? `: ${code}` : ''}`,
          () => this.#remove(name),
        )
        if (refused) throw Object.assign(new Error(`${refused}: ${name}`), { code: refused }) satisfies CloudError
      },
    }
  }

  #remove(name: string): CloudError['code'] | undefined {
    if (!this.#resources.has(name)) return 'NotFound'
    if (this.#resources.has(usedBy.get(name) ?? '')) return 'InUse'
    if (name === locked) return 'Locked'
    this.#resources.delete(name)
    return undefined
  }

  #check({ returned, threw, stuck, history }: Ended): Fault | undefined {
    const shortened = { history: history.slice(-longestHistory) }
    for (const { name, createdBy } of all) {
      if (createdBy === owner || this.#resources.has(name)) continue
      const at = history.findIndex(({ what }) => what === `removes ${short(name)}`)
      return {
        says: `It removes ${name}, which is not its own.`,
        history: history.slice(0, at + 1).slice(-longestHistory),
        why: 'A name proves nothing, because anybody may choose one like it: only the tag says who created a resource.',
      }
    }
    const staying = all
      .filter(({ name, createdBy }) => createdBy === owner && !kept.includes(name) && this.#resources.has(name))
      .map(({ name }) => name)
    for (const error of threw.values()) {
      if (!(error instanceof Error) || !('code' in error)) throw error
      const other = staying.find((name) => !error.message.endsWith(name))
      const says = `It gives up with ${error.message}${other === undefined ? '' : `, and ${other} stays`}.`
      return { says, ...shortened, why: 'A resource that cannot be removed must not keep the others alive.' }
    }
    if (stuck.length > 0) return { says: 'It waits for ever.', ...shortened }
    const [first] = staying
    if (first !== undefined) {
      const why = usedBy.has(first) ? 'It was in use, and no longer is: it has to be tried again.' : undefined
      const story = storyOf(history, first)
      const says = `${first} stays, although nothing is in its way.`
      const fault = { says, ...(story.length > 0 ? { history: story } : shortened) }
      return why === undefined ? fault : { ...fault, why }
    }
    for (const left of returned.values() as Iterable<unknown>) {
      const names = Array.isArray(left) ? left.map(String) : []
      const gone = names.find((name) => !kept.includes(name))
      if (gone !== undefined) {
        const why = 'NotFound means that somebody else was faster: the resource is gone, and that is no failure.'
        return { says: `It reports ${gone} as left, but it is gone.`, history: storyOf(history, gone), why }
      }
      const missing = kept.find((name) => !names.includes(name))
      if (missing !== undefined) return { says: `It does not report ${missing}, which is left.`, ...shortened }
      if (names.length > kept.length) return { says: 'It reports a resource twice.', ...shortened }
    }
    return undefined
  }
}

/** The last steps that are about a resource, or about the one that uses it. */
function storyOf(history: readonly Step[], name: string): Step[] {
  const names = [name, usedBy.get(name) ?? name].map(short)
  const isAbout = ({ what }: Step) => what === 'is killed' || names.some((each) => what.includes(each))
  return history.filter(isAbout).slice(-longestHistory)
}

const short = (name: string) => name.replace('course-', '')
