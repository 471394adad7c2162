/** Two lives of a job, in virtual time: the first one is killed, is slow, or is still running at its walltime. */
import { type Ended, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { merged } from '@repo/exercises/history'

type Solution = typeof import('./exercise.ts')

/** Files on a disk that all lives share. */
export interface Files {
  /** Returns what is in a file; undefined if there is none. */
  read(name: string): Promise<string | undefined>
  /** Empties the file, or makes a new one, and then takes some time to write the text. */
  write(name: string, text: string): Promise<void>
  /** Gives a file another name, in one step. A file that had this name is gone. */
  rename(from: string, to: string): Promise<void>
}

export interface Job {
  /** The number of pieces. */
  total: number
  /** It saves its state after at most this number of pieces. */
  every: number
  /** Aborted some time before the walltime: long enough for one piece and one checkpoint. */
  warned: AbortSignal
  /** Computes the next piece. Takes the number of pieces that are done, and returns one more. */
  compute(done: number): Promise<number>
  files: Files
}

const checkpoint = 'checkpoint'
const total = 5
const every = 2
const pieceMs = 10
const writeMs = 4
/** In the middle of the third piece. */
const warnedMs = 30
/** In the middle of the checkpoint after the fourth piece. */
const walltimeMs = 46

/** What the checker sees of the two lives. */
interface Watch {
  /** How many pieces the first life has computed. */
  computed: number
  /** What the second life has been given as its first piece; all if it had nothing to do. */
  resumed: number | undefined
  /** The largest number that the first life had whole in the checkpoint. */
  saved: number
  /** Something took longer than it had to. */
  isLate: boolean
  /** The first life was still running at its walltime. */
  isOver: boolean
  /** A checkpoint that is no number. */
  odd?: string
}

export default exercise<Solution>({
  check: async ({ run }, { signal }) =>
    await underEverySchedule(
      (stage) => {
        const disk = new Map<string, string>()
        const watch: Watch = { computed: 0, resumed: undefined, saved: 0, isLate: false, isOver: false }
        const ended = Promise.withResolvers<void>()
        const warning = new AbortController()
        async function slurm() {
          await stage.sleep(warnedMs)
          warning.abort(new Error('SIGTERM'))
        }
        async function first() {
          const outcome = await run({
            ...begin(stage, disk, watch, { isFirst: true, over: ended.resolve }),
            warned: warning.signal,
          })
          ended.resolve()
          return outcome
        }
        async function second() {
          await ended.promise
          const late = new AbortController()
          const job = begin(stage, disk, watch, { isFirst: false })
          async function compute(done: number) {
            // A warning in the last piece leaves nothing to be done.
            if (done === total - 1) {
              stage.note('slurm', 'warns life 2')
              late.abort(new Error('SIGTERM'))
            }
            return await job.compute(done)
          }
          return await run({ ...job, compute, warned: late.signal })
        }
        return {
          actors: { 'life 1': first, 'life 2': second, slurm },
          mortal: ['life 1'],
          successor() {
            ended.resolve()
            return undefined
          },
          check: (each) => faultOf(each, watch, disk.get(checkpoint)),
        }
      },
      { mostDeviations: 2, mostRuns: 800, signal },
    ),
})

/** A life of the job. At its walltime, nothing that it began comes to an end. */
function begin(
  stage: Stage,
  disk: Map<string, string>,
  watch: Watch,
  { isFirst, over }: { isFirst: boolean; over?: () => void },
) {
  const untilMs = isFirst ? walltimeMs : Number.POSITIVE_INFINITY
  async function survives(dueMs: number) {
    if (isFirst && stage.now > dueMs) watch.isLate = true
    if (stage.now < untilMs) return
    if (!watch.isOver) stage.note('slurm', 'ends life 1')
    watch.isOver = true
    over?.()
    await new Promise<never>(() => {})
  }
  async function step<Result>(what: (result: Result) => string, act: () => Result): Promise<Result> {
    const dueMs = stage.now
    // What comes after the walltime does not happen.
    const result = await stage.step(
      (done: { result: Result } | undefined) => (done ? what(done.result) : 'is too late'),
      () => (stage.now < untilMs ? { result: act() } : undefined),
    )
    await survives(dueMs)
    if (result === undefined) return await new Promise<never>(() => {})
    return result.result
  }
  async function sleep(ms: number) {
    const dueMs = stage.now + ms
    await stage.sleep(ms)
    await survives(dueMs)
  }
  function put(name: string, text: string) {
    disk.set(name, text)
    if (name !== checkpoint) return
    if (!/^\d+$/.test(text)) watch.odd ??= text
    else if (isFirst) watch.saved = Math.max(watch.saved, Number(text))
  }
  const files: Files = {
    read: (name) =>
      step(
        (text) => `reads ${name}: ${text === '' ? 'empty' : (text ?? 'none')}`,
        () => disk.get(name),
      ),
    async write(name, text) {
      await step(
        () => `empties ${name}`,
        () => {
          disk.set(name, '')
        },
      )
      await sleep(writeMs)
      await step(
        () => `writes ${text} to ${name}`,
        () => {
          put(name, text)
        },
      )
    },
    rename: (from, to) =>
      step(
        () => `renames it to ${to}`,
        () => {
          const text = disk.get(from)
          if (text === undefined) throw new Error(`rename: there is no file ${from}`)
          disk.delete(from)
          put(to, text)
        },
      ),
  }
  async function compute(done: number): Promise<number> {
    if (!isFirst) watch.resumed ??= done
    await sleep(pieceMs)
    if (isFirst) watch.computed = Math.max(watch.computed, done + 1)
    return done + 1
  }
  return { total, every, compute, files }
}

function faultOf(
  { returned, killed, stuck, history }: Ended,
  { computed, resumed = total, saved, isLate, isOver, odd }: Watch,
  last: string | undefined,
): Fault | undefined {
  const received = `life 1 has computed ${computed} pieces, life 2 begins with piece ${resumed + 1}`
  const isEnd = ({ who, what }: Step) => what === 'is killed' || (who === 'slurm' && what.startsWith('ends'))
  /** With the end of the first life, and what the second one finds. */
  const shown = () => {
    const end = history.findIndex(isEnd)
    const after = history.findIndex(({ who }, at) => at > end && who === 'life 2')
    const last = Math.max(end, after)
    const steps = last < 0 ? history : history.slice(0, last + 1)
    return {
      history: told(steps),
      line: steps.findLast(({ who, line }) => who === 'life 1' && line !== undefined)?.line,
    }
  }
  if (stuck.includes('life 1') && !isOver)
    return { says: 'Life 1 waits for something that never comes.', history: told(history) }
  if (odd !== undefined) {
    const steps = history.slice(0, history.findIndex(({ what }) => what.includes(odd)) + 1)
    return { says: 'The checkpoint is not the number of pieces.', received: odd, history: told(steps) }
  }
  const lost = computed - resumed
  if (!Number.isFinite(resumed) || lost < 0)
    return { says: 'Life 2 begins with a piece that was never reached.', received, ...shown() }
  if (saved > resumed) {
    const why = 'While a file is being written it is not whole: the old one must stay until the new one is.'
    return { says: 'Life 1 dies, and the checkpoint that it had saved is gone.', received, ...shown(), why }
  }
  if (killed.length === 0 && !isLate && lost > 0) {
    if (saved === 0) return { says: 'The walltime ends, and nothing was ever saved.', received, ...shown() }
    if (!isOver) {
      const why = 'A life that ends by itself has time to save what it has computed.'
      return { says: 'Life 1 ends by itself, and its last pieces are not saved.', received, ...shown(), why }
    }
    const why = 'It was warned in time: what it had computed by then could have been saved.'
    return { says: 'The walltime ends with work that is not saved.', received, ...shown(), why }
  }
  if (lost > every) {
    const why = `Nothing announces the death of a node: the state must be saved after each ${every} pieces.`
    return {
      says: 'A kill costs more than one interval.',
      expected: `at most ${every} pieces`,
      received,
      ...shown(),
      why,
    }
  }
  if (returned.get('life 1') === 'done') return { says: 'Life 1 says done, and is not.', history: told(history) }
  if (returned.get('life 2') !== 'done')
    return {
      says: 'Life 2 has done all pieces, and does not say so.',
      expected: 'done',
      received: String(returned.get('life 2')),
      history: told(history),
      why: 'A life that is warned in its last piece finishes that, and nothing is left to be done.',
    }
  if (last !== String(total))
    return {
      says: 'The last pieces are done, and not saved.',
      expected: `${total} in the checkpoint`,
      received: String(last),
      history: told(history),
    }
  if (killed.length === 0 && !isLate && isOver)
    return { says: 'Life 1 is warned, and does not end by itself.', ...shown() }
  return undefined
}

/** The history in the words of the job. */
function told(history: readonly Step[]): readonly Step[] {
  const steps = history.flatMap((step, at): Step[] => {
    // What comes to its end after the walltime does not happen.
    const next = history[at + 1]
    if (next?.who === 'slurm' && next.what.startsWith('ends')) return []
    if (step.what === `has waited ${pieceMs} ms`) return [{ ...step, what: 'computes a piece' }]
    if (step.what === `has waited ${warnedMs} ms`) return [{ ...step, what: 'warns life 1' }]
    return step.what === `has waited ${writeMs} ms` ? [] : [step]
  })
  return merged(steps).slice(-longestHistory)
}
