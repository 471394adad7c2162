/** Asks workers about themselves before the work, and finds what differs between them and what would break. */
import { randomBytes } from 'node:crypto'
import { timeLimit } from '@repo/common/async/timer'
import { visible } from '@repo/common/output/control-characters'
import { bytes, milliseconds } from '@repo/common/output/terminal'
import { ask as exchange } from '@repo/common/process/ask'
import { type Program, startProgram } from '@repo/common/process/child'
import { best, cristian, type Offset } from '../clocks/sync.ts'
import { installedVersion } from './installed.ts'
import type { Question, Report } from './probe.program.ts'

/** How to start a worker, and what is different about it. */
export interface Candidate {
  name: string
  /** What was made different on purpose, in words; undefined for an unmodified worker. */
  different?: string
  env?: NodeJS.ProcessEnv
  /** Where its packages are, and where it would write. */
  folder: string
  work: string
  launcher?: string[]
  node?: string
}

/** What the work needs of every worker. */
export interface Needs {
  node: string
  /** In bytes. */
  memory: number
  disk: number
  openFiles: number
  /** How wrong its clock may be, in ms. */
  clockMs: number
  packages: Record<string, string | undefined>
}

export interface Answer {
  name: string
  different: string | undefined
  report: Report
  /** Its clock minus ours, in ms, and the error bound of that. */
  clock: { offsetMs: number; errorMs: number }
}

export interface Finding {
  worker: string
  check: string
  value: string
  /** What most workers have. */
  others: string
  /** Why the work would fail there; undefined for a mere difference. */
  breaks: string | undefined
}

const program = new URL('./probe.program.ts', import.meta.url)
const clockRounds = 10
/** How long a worker may take to start, and to answer a question. It asks Redis for up to ten seconds. */
const startTimeoutMs = 30_000
const answerTimeoutMs = 20_000
/** A clock that is wrong by no more than this counts as right: NTP adjusts running clocks by as much. */
const rightMs = 10

/** Variables that change what a program does, and whose values are not secret. */
const harmless = [
  'TZ',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'NODE_ENV',
  'NODE_OPTIONS',
  'LOG_LEVEL',
  'UV_THREADPOOL_SIZE',
  'HOME',
  'SHELL',
  'TMPDIR',
  'NO_COLOR',
  'PATH',
]
/** These come from the way the worker was started, not from its environment. */
const uninteresting = /^(_|PWD|OLDPWD|SHLVL|INIT_CWD|NODE_CHANNEL.*|PNPM_.*|npm_.*|PREFLIGHT_.*|PATH)$/

/**
 * Starts a worker, asks it, and ends it.
 *
 * @throws an Error of one line when it does not start, or leaves a question unanswered for too long
 */
export async function ask(
  { name, different, env, folder, work, launcher, node }: Candidate,
  {
    packages,
    key,
    signal,
    withinMs = answerTimeoutMs,
  }: { packages: string[]; key: string; signal?: AbortSignal; withinMs?: number },
): Promise<Answer> {
  await using worker = await startProgram(program, {
    env: { ...env },
    ...(launcher && { launcher }),
    ...(node && { node }),
    ...(signal && { signal }),
    readyTimeoutMs: startTimeoutMs,
  })
  const question: Question = { packages, folder, work, visible: harmless, key }
  const limit = timeLimit(withinMs, signal)
  try {
    const clock = await clockOffset(worker, limit)
    const { report } = await exchange<{ report: Report }>(worker, { kind: 'report', ...question }, limit)
    return { name, different, report, clock }
  } catch (error) {
    signal?.throwIfAborted()
    if (limit.aborted) throw new Error(`no answer within ${milliseconds(withinMs)}`)
    throw error
  }
}

/** What a worker that cannot be asked has instead of answers. */
export const unanswered = (worker: string, why: string): Finding => {
  return {
    worker: visible(worker),
    check: 'answer',
    value: visible(why),
    others: 'answers',
    breaks: 'it cannot be asked',
  }
}

/** Returns the versions of packages as resolved from a folder here: what every worker must have. */
export async function installed(folder: string, names: string[]): Promise<Record<string, string | undefined>> {
  const versions = names.map(async (name) => [name, await installedVersion(folder, name)] as const)
  return Object.fromEntries(await Promise.all(versions))
}

/**
 * Returns a key for one round of questions. A reader of the hashes who does not have the key cannot guess the values.
 */
export const newKey = () => randomBytes(32).toString('hex')

/** Asks several times and believes the quickest reply. */
async function clockOffset(worker: Program<unknown>, signal: AbortSignal | undefined): Promise<Answer['clock']> {
  const now = () => performance.timeOrigin + performance.now()
  const estimates: Offset[] = []
  while (estimates.length < clockRounds) {
    const sent = now()
    const { at } = await exchange<{ at: number }>(worker, { kind: 'clock' }, signal)
    estimates.push(cristian({ sent, receivedThere: at, sentThere: at, received: now() }))
  }
  const { offset, bound } = best(estimates)
  return { offsetMs: offset, errorMs: bound }
}

/** A line of the table: how a value is shown and compared, and when it breaks the work. */
interface Check {
  name: string
  show: (answer: Answer) => string
  /** Returns what must be equal: by default what `show` returns. If set to undefined, nothing must be. */
  same?: ((answer: Answer) => string) | undefined
  breaks?: (answer: Answer, needs: Needs) => string | false | undefined
}

const wrongPackages = ({ report }: Answer, { packages }: Needs) =>
  Object.entries(packages)
    .filter(([name, version]) => report.packages[name] !== version)
    .map(([name]) => `${name} ${report.packages[name] ?? 'missing'}`)

const known = <T>(value: T | undefined, show: (value: T) => string) => (value === undefined ? 'unknown' : show(value))

const checks: Check[] = [
  {
    name: 'Node',
    show: ({ report }) => report.node,
    breaks: ({ report }, { node }) => isOlder(report.node, node) && `needs ${node} or newer`,
  },
  { name: 'system', show: ({ report }) => report.system },
  { name: 'user', show: ({ report }) => report.user },
  { name: 'umask', show: ({ report }) => report.umask },
  {
    name: 'packages',
    show: ({ report }) =>
      Object.entries(report.packages)
        .flatMap(([name, version]) => (version ? [`${name} ${version}`] : []))
        .join(', ') || 'none',
    breaks: (answer, needs) =>
      wrongPackages(answer, needs).length > 0 && `${wrongPackages(answer, needs).join(', ')}: install`,
  },
  { name: 'time zone', show: ({ report }) => report.timeZone },
  { name: 'locale', show: ({ report }) => report.locale },
  {
    name: 'clock',
    show: ({ clock: { offsetMs, errorMs } }) =>
      Math.abs(offsetMs) <= Math.max(rightMs, errorMs)
        ? 'right'
        : `${offsetMs > 0 ? '+' : '−'}${milliseconds(Math.abs(offsetMs))}`,
    breaks: ({ clock: { offsetMs, errorMs } }, { clockMs }) =>
      Math.abs(offsetMs) - errorMs > clockMs && `over ${milliseconds(clockMs)} wrong: locks, tokens`,
  },
  { name: 'cores', show: ({ report }) => String(report.cores) },
  {
    name: 'free memory',
    show: ({ report }) => known(report.freeMemory, bytes),
    same: undefined,
    breaks: ({ report: { freeMemory = Infinity } }, { memory }) => freeMemory < memory && `needs ${bytes(memory)}`,
  },
  {
    name: 'heap limit',
    show: ({ report }) => bytes(report.heapLimit),
    breaks: ({ report }, { memory }) => report.heapLimit < memory && `needs ${bytes(memory)}: NODE_OPTIONS`,
  },
  {
    name: 'free disk',
    show: ({ report }) => known(report.freeDisk, bytes),
    same: undefined,
    breaks: ({ report: { freeDisk = Infinity } }, { disk }) => freeDisk < disk && `needs ${bytes(disk)}`,
  },
  // #region checks
  {
    name: 'open files',
    show: ({ report }) => known(report.openFiles, (limit) => String(limit ?? 'unlimited')),
    breaks: ({ report: { openFiles } }, needs) =>
      (openFiles ?? Infinity) < needs.openFiles && `needs ${needs.openFiles}: ulimit -n`,
  },
  {
    name: 'work folder',
    show: ({ report }) => report.folder ?? 'can be written',
    breaks: ({ report }) => report.folder && 'no results',
  },
  // #endregion checks
  {
    name: 'temporary',
    show: ({ report }) => report.temporary ?? 'can be written',
    breaks: ({ report }) => report.temporary && 'no temporary files',
  },
  {
    name: 'Redis',
    show: ({ report }) => (typeof report.redis === 'number' ? milliseconds(report.redis) : report.redis),
    same: ({ report }) => typeof report.redis,
    breaks: ({ report }) => typeof report.redis === 'string' && 'no queue',
  },
]

export const checkNames = [...checks.map(({ name }) => name), 'environment'] as const

/** Returns a worker's value for each check, as readers see it, in the order of `checkNames`. */
export function values(answer: Answer): string[] {
  const names = Object.keys(answer.report.variables).filter((name) => !uninteresting.test(name))
  return [...checks.map(({ show }) => visible(show(answer))), `${names.length} variables`]
}

/** Returns what differs between the workers and what would break, in the order of the checks. */
export function findings(answers: readonly Answer[], needs: Needs): Finding[] {
  const found: Finding[] = []
  for (const check of checks) {
    const { show, breaks } = check
    const same = 'same' in check ? check.same : show
    const usual = same && mostCommon(answers.map(same))
    const typical = answers.find((answer) => same?.(answer) === usual)
    for (const answer of answers) {
      const why = breaks?.(answer, needs) || undefined
      if (!why && (same === undefined || same(answer) === usual)) continue
      const others = same && typical && typical !== answer ? show(typical) : ''
      found.push({
        worker: visible(answer.name),
        check: check.name,
        value: visible(show(answer)),
        others: visible(others),
        breaks: why && visible(why),
      })
    }
  }
  return [...found, ...environments(answers)]
}

/** Finds variables that are not the same everywhere. For those that may be secret, it says only that they differ. */
function environments(answers: readonly Answer[]): Finding[] {
  const names = new Set(answers.flatMap(({ report }) => Object.keys(report.variables)))
  return [...names].sort().flatMap((name) => {
    if (uninteresting.test(name)) return []
    const of = ({ report }: Answer) => JSON.stringify(report.variables[name] ?? null)
    const usual = mostCommon(answers.map(of))
    const show = (text: string) => {
      const variable = JSON.parse(text) as Report['variables'][string] | null
      if (variable === null) return 'not set'
      return 'value' in variable ? JSON.stringify(variable.value) : 'another value, not shown'
    }
    const typical = show(usual).replace('another value', 'one value')
    return answers
      .filter((answer) => of(answer) !== usual)
      .map((answer) => ({
        worker: visible(answer.name),
        check: visible(name),
        value: visible(show(of(answer))),
        others: visible(typical),
        breaks: undefined,
      }))
  })
}

function mostCommon(values: string[]): string {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? ''
}

const isOlder = (version: string, minimum: string) => version.localeCompare(minimum, 'en', { numeric: true }) < 0
