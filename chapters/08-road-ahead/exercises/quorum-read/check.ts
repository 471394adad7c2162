/** Clients read and write a register with three copies: one after the other, at the same time, and with a copy away. */
import { type Play, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { upTo } from '@repo/exercises/history'

type Solution = typeof import('./exercise.ts')

/** Orders the writes: the larger count is the newer one, and if they are equal, the larger name of a client. */
export interface Version {
  count: number
  writer: string
}

/** What a copy has. */
export interface Copy {
  version: Version
  value: string
}

/** The copies of the register, as a client reaches them. */
export interface Copies {
  /** How many there are. */
  readonly number: number
  /** Asks all copies, and returns the first answers, as many as wanted. */
  read(answers: number): Promise<[Copy, ...Copy[]]>
  /** Sends to all copies, and returns when as many as wanted have it. A copy that has a newer version keeps that. */
  write(copy: Copy, answers: number): Promise<void>
}

const number = 3
/** Somebody has written before. */
const before: Copy = { version: { count: 7, writer: 'z' }, value: 'old' }

const isNewer = ({ version: a }: Copy, { version: b }: Copy) =>
  a.count > b.count || (a.count === b.count && a.writer > b.writer)
const textOf = ({ version: { count, writer }, value }: Copy) => `${value} (${count}${writer})`

/** A register whose copies take requests when the schedule says so. */
class Register {
  readonly #stage: Stage
  readonly #away: number | undefined
  readonly #kept: Copy[]
  #calls = 0
  /** The newest version of a write that has ended. */
  newest = before

  constructor(
    stage: Stage,
    { away, kept = Array.from({ length: number }, () => before) }: { away?: number; kept?: readonly Copy[] } = {},
  ) {
    this.#stage = stage
    this.#away = away
    this.#kept = [...kept]
  }

  /** The copies for one client; with `skip`, its first call begins at another copy. */
  for(who: string, skip = 0): Copies {
    this.#calls += skip
    return this.#copies(who, () => this.#calls++)
  }

  /** The copies for a client that has the shortest way to this one, always. */
  near(at: number, who: string): Copies {
    return this.#copies(who, () => at)
  }

  #copies(who: string, firstOf: () => number): Copies {
    return {
      number,
      read: async (answers) =>
        (await this.#firstOf(firstOf(), answers, (at, isLate) =>
          this.#stage.step(
            // What comes too late changes nothing, and is left out of the history.
            (copy: Copy) => (isLate() ? late : `copy ${at + 1} has ${textOf(copy)}`),
            () => structuredClone(this.#kept[at] as Copy),
            { who },
          ),
        )) as [Copy, ...Copy[]],
      write: async ({ version, value }, answers) => {
        const copy: Copy = { version: { ...version }, value }
        await this.#firstOf(firstOf(), answers, (at) =>
          this.#stage.step(
            (does: string) => `copy ${at + 1} ${does} ${textOf(copy)}`,
            () => {
              const kept = this.#kept[at] as Copy
              if (isNewer(copy, kept)) this.#kept[at] = copy
              else return isNewer(kept, copy) ? 'has a newer one than' : 'has already'
              return 'takes'
            },
            { who },
          ),
        )
        if (isNewer(copy, this.newest)) this.newest = copy
      },
    }
  }

  /**
   * Calls one copy after the other, and returns the first answers while the others are still to come. Where each time
   * another copy comes first, every set of copies comes about.
   */
  async #firstOf<Answer>(
    first: number,
    wanted: number,
    call: (at: number, isLate: () => boolean) => Promise<Answer>,
  ): Promise<Answer[]> {
    const enough = Promise.withResolvers<void>()
    const answers: Answer[] = []
    const goOn = async () => {
      for (let count = 0; count < number; count++) {
        const at = (first + count) % number
        if (at === this.#away) continue
        answers.push(await call(at, () => answers.length >= wanted))
        if (answers.length === wanted) enough.resolve()
      }
    }
    if (wanted <= 0) enough.resolve()
    void goOn()
    await enough.promise
    return answers.slice(0, wanted)
  }
}

const late = 'too late'
const shown = (history: readonly Step[], last: (step: Step) => boolean = () => true) =>
  upTo(history, last)
    .filter(({ what }) => what !== late)
    .slice(-longestHistory)

/** A client goes on while some of its requests are still under way. */
type Scene = (solution: Solution, stage: Stage) => Omit<Play, 'maySkipAwait'>

/** Reads, and notes what was found. */
async function look({ read }: Solution, stage: Stage, who: string, copies: Copies): Promise<string> {
  const value = await read(copies)
  stage.note(who, `reads ${value}`)
  return value
}

/** One copy is away: everything must end all the same. */
const oneAway =
  (away: number): Scene =>
  (solution, stage) => {
    const register = new Register(stage, { away })
    let doing = 'write'
    return {
      actors: {
        async a() {
          await solution.write('new', 'a', register.for('a'))
          doing = 'read'
          await solution.read(register.for('a'))
        },
      },
      check({ stuck, history }) {
        if (stuck.length === 0) return undefined
        const why = `Copy ${away + 1} does not answer. A majority of the others does.`
        return { says: `A ${doing} does not end while one of three copies is away.`, history: shown(history), why }
      },
    }
  }

/** Two clients write one after the other, then somebody reads. */
const inTurn =
  (skip: number): Scene =>
  (solution, stage) => {
    const register = new Register(stage)
    const lost: { value: string; newest: Copy }[] = []
    let found = ''
    return {
      actors: {
        async clients() {
          for (const [value, writer] of [
            ['one', 'b'],
            ['two', 'a'],
          ] as const) {
            const { newest } = register
            await solution.write(value, writer, register.for(writer))
            stage.note(writer, `has written ${value}`)
            if (register.newest === newest) lost.push({ value, newest })
          }
          found = await look(solution, stage, 'c', register.for('c', skip))
        },
      },
      check({ history }) {
        const [first] = lost
        if (first) {
          return {
            says: 'A write has ended, and is lost: its version is older than the one before.',
            expected: `a version newer than that of ${textOf(first.newest)}`,
            history: shown(history, ({ what }) => what === `has written ${first.value}`),
            why: 'A client knows only by asking what was written before.',
          }
        }
        if (found === 'two') return undefined
        return {
          says: 'A read returns an old value, although a newer one was written before.',
          expected: 'two',
          received: String(found),
          history: shown(history, ({ what }) => what.startsWith('reads')),
          why: 'The copies that have it and the copies that were asked must have one in common, and its version decides.',
        }
      },
    }
  }

/** One client writes, and two others read meanwhile, one after the other. */
const meanwhile =
  (copiesOf: (register: Register, who: 'w' | 'r' | 's') => Copies): Scene =>
  (solution, stage) => {
    const register = new Register(stage)
    const found: string[] = []
    return {
      actors: {
        w: async () => await solution.write('new', 'w', copiesOf(register, 'w')),
        async readers() {
          for (const who of ['r', 's'] as const) found.push(await look(solution, stage, who, copiesOf(register, who)))
        },
      },
      check({ history }) {
        const unknown = found.find((value) => value !== 'old' && value !== 'new')
        const steps = shown(history, ({ what }) => what.startsWith('reads'))
        if (unknown !== undefined)
          return { says: 'A read returns what nobody has written.', received: String(unknown), history: steps }
        if (found[0] !== 'new' || found[1] === 'new') return undefined
        const why = 'What a read has returned must be on a majority, so that no later read can miss it.'
        return { says: 'A read returns the new value, and a later read the old one.', history: steps, why }
      },
    }
  }

/** Two clients write at the same time; when both have ended, a third one reads twice. */
const bothWrite: Scene = (solution, stage) => {
  const register = new Register(stage)
  const found: string[] = []
  const ended = { p: Promise.withResolvers<void>(), q: Promise.withResolvers<void>() }
  const write = (who: 'p' | 'q') => async () => {
    await solution.write(`of ${who}`, who, register.for(who))
    ended[who].resolve()
  }
  return {
    actors: {
      p: write('p'),
      q: write('q'),
      async r() {
        await Promise.all([ended.p.promise, ended.q.promise])
        for (let time = 0; time < 2; time++) found.push(await look(solution, stage, 'r', register.for('r')))
      },
    },
    check({ history }) {
      const [first, second] = found
      if (first === second) return undefined
      return {
        says: 'Two writes have ended, and two later reads return different values.',
        received: `first ${first}, then ${second}`,
        history: shown(history, ({ what }) => what.startsWith('reads')),
        why: 'Both wrote the same version. No copy can tell which of the two is newer, so each keeps what it has.',
      }
    },
  }
}

/** Two clients have written at the same time, with the same count; now two others read. */
const afterBoth =
  (nearest: readonly [r: number, s: number]): Scene =>
  (solution, stage) => {
    const [p, q] = ['p', 'q'].map((writer): Copy => ({ version: { count: 8, writer }, value: `of ${writer}` }))
    const register = new Register(stage, { kept: [p, q, q] as Copy[] })
    const found: string[] = []
    return {
      actors: {
        async readers() {
          stage.note('p', 'has written of p (8p), at the same time as q')
          stage.note('q', 'has written of q (8q)')
          for (const [at, who] of (['r', 's'] as const).entries())
            found.push(await look(solution, stage, who, register.near(nearest[at] as number, who)))
        },
      },
      check({ history }) {
        if (found.every((value) => value === 'of q')) return undefined
        const why = 'Of two versions with the same count, the one of the larger writer is newer.'
        const says = 'Of two versions with the same count, a read returns the older one.'
        return { says, expected: 'of q', received: found.join(', then '), history: shown(history), why }
      },
    }
  }

export default exercise<Solution>({
  async check(solution, { signal }): Promise<Fault | undefined> {
    const scenes = [
      ...[0, 1, 2].flatMap((skip) => [oneAway(skip), inTurn(skip)]),
      ...[0, 1, 2].map((skip) => meanwhile((register, who) => register.for(who, who === 'w' ? 0 : skip))),
      // The second reader reaches the copies that the first one did not ask.
      meanwhile((register, who) => register.near(who === 's' ? 1 : 0, who)),
      bothWrite,
      afterBoth([0, 1]),
      afterBoth([2, 0]),
    ]
    for (const scene of scenes) {
      const options = { mostDeviations: 2, mostRuns: 200, signal }
      const fault = await underEverySchedule((stage) => ({ ...scene(solution, stage), maySkipAwait: true }), options)
      if (fault) return fault
    }
    return undefined
  },
})
