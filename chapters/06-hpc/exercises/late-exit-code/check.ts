/** The lives of jobs, as somebody sees them who polls in virtual time. */
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { merged } from '@repo/exercises/history'
import { callingLine, declaredAt } from '@repo/exercises/line'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

/** What a poll sees. */
export interface Seen {
  /** Whether the scheduler lists the job: it waits or runs. */
  listed: boolean
  /** What is in the exit-code file; undefined if there is none. */
  file: string | undefined
}

export interface Clock {
  /** The time in ms. */
  now(): number
  sleep(ms: number): Promise<void>
}

const everyMs = 100
const patienceMs = 500
/** More polls are a loop without end. */
const mostPolls = 200

/** The life of a job, in polls. */
interface Life {
  /** It is missing, and then listed, again and again. */
  phases: { missing: number; listed: number }[]
  /** After its end it takes this long until there is a file, and this long until that is no longer empty. */
  fileAfter: number
  emptyFor: number
  /** Undefined if there will never be a file. */
  code: number | undefined
}

// A file comes before the patience ends, and a job that runs is never missing for that long.
const lives: fc.Arbitrary<Life> = fc.record({
  phases: fc.array(fc.record({ missing: fc.integer({ min: 0, max: 4 }), listed: fc.integer({ min: 1, max: 9 }) }), {
    minLength: 1,
    maxLength: 3,
  }),
  fileAfter: fc.integer({ min: 0, max: 2 }),
  emptyFor: fc.integer({ min: 0, max: 2 }),
  code: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
})

const examples: Life[] = [
  { phases: [{ missing: 0, listed: 2 }], fileAfter: 0, emptyFor: 0, code: 3 },
  { phases: [{ missing: 0, listed: 2 }], fileAfter: 2, emptyFor: 0, code: 3 },
  { phases: [{ missing: 0, listed: 2 }], fileAfter: 0, emptyFor: 2, code: 3 },
  { phases: [{ missing: 0, listed: 7 }], fileAfter: 2, emptyFor: 1, code: 3 },
  {
    phases: [
      { missing: 0, listed: 2 },
      { missing: 4, listed: 1 },
    ],
    fileAfter: 2,
    emptyFor: 1,
    code: 3,
  },
]

/** Returns what there is to see at a time. */
function seenAt({ phases, fileAfter, emptyFor, code }: Life, ms: number): Seen {
  let left = Math.floor(ms / everyMs)
  for (const { missing, listed } of phases) {
    if (left < missing) return { listed: false, file: undefined }
    left -= missing
    if (left < listed) return { listed: true, file: undefined }
    left -= listed
  }
  if (code === undefined || left < fileAfter) return { listed: false, file: undefined }
  return { listed: false, file: left - fileAfter < emptyFor ? '' : `${code}\n` }
}

async function checkLife({ exitCode }: Solution, life: Life): Promise<Fault | undefined> {
  const history: Step[] = []
  let nowMs = 0
  let polledMs: number | undefined
  let polls = 0
  let missingSince: number | undefined
  const broken = Promise.withResolvers<Fault>()
  const never = new Promise<never>(() => {})

  async function poll(): Promise<Seen> {
    const line = callingLine()
    const seen = seenAt(life, nowMs)
    const file =
      seen.file === undefined ? 'no file' : seen.file === '' ? 'an empty file' : `the file says ${seen.file.trim()}`
    history.push({ who: 'client', what: `${seen.listed ? 'listed' : 'not listed'}, ${file}`, line })
    if (polledMs !== undefined && nowMs - polledMs < everyMs) {
      broken.resolve({ says: `It polls again after ${nowMs - polledMs} ms instead of ${everyMs}.`, line })
      return await never
    }
    polledMs = nowMs
    if (++polls > mostPolls) {
      const why = 'A job that died with its node leaves no file.'
      broken.resolve({ says: 'It polls for ever: the file never comes.', line, why })
      return await never
    }
    if (seen.listed) missingSince = undefined
    else missingSince ??= nowMs
    return seen
  }
  const clock: Clock = {
    now: () => nowMs,
    async sleep(ms) {
      nowMs += ms
    },
  }

  const outcome = await Promise.race([
    exitCode(poll, { clock, everyMs, patienceMs }).then((returned) => ({ returned })),
    broken.promise.then((fault) => ({ fault })),
  ])
  const fault = 'fault' in outcome ? outcome.fault : faultOf(outcome.returned)
  if (!fault) return undefined
  history.push({ who: 'client', what: 'fault' in outcome ? '…' : `returns ${outcome.returned}` })
  return { ...fault, history: merged(history).slice(-longestHistory) }

  function faultOf(returned: number | undefined): Fault | undefined {
    const { listed, file } = seenAt(life, nowMs)
    if (polls === 0) return { says: 'It returns without having polled.', line: declaredAt('exitCode') }
    if (file) {
      const expected = file.trim()
      return returned === Number(file)
        ? undefined
        : { says: 'It returns something else than the file says.', expected, received: String(returned) }
    }
    if (returned !== undefined) {
      if (file === '')
        return {
          says: 'The file is still empty, and it returns a code.',
          expected: 'to wait for the code',
          received: String(returned),
          why: 'In JavaScript, the number of an empty text is 0: the job seems to have succeeded.',
        }
      const says = listed ? 'The job is listed, and it returns a code.' : 'There is no file yet, and it returns a code.'
      return {
        says,
        expected: 'to wait for the code',
        received: String(returned),
        why: 'That a job is not listed does not say how it ended.',
      }
    }
    if (listed) return { says: 'It gives up although the job is listed.' }
    const missing = nowMs - (missingSince ?? nowMs)
    if (missing < patienceMs) {
      const why = 'Its patience begins when the job goes missing, and begins anew when the job is listed again.'
      return {
        says: 'It gives up too early: the file may still be on its way.',
        expected: `missing for ${patienceMs} ms`,
        received: `missing for ${missing} ms`,
        why,
      }
    }
    if (missing > patienceMs + 2 * everyMs)
      return {
        says: 'It gives up too late.',
        expected: `missing for ${patienceMs} ms`,
        received: `missing for ${missing} ms`,
      }
    return undefined
  }
}

export default exercise<Solution>({
  check: async (solution) => await counterexample(lives, (life) => checkLife(solution, life), { examples }),
})
