/**
 * Checks solutions in a process of its own: `check.program.ts CHECK_TS SOLUTION_TS TIMES [SOLUTION_TS TIMES …]`. Standard
 * output is the solutions' own. What became of them goes to file descriptor 3, and each report begins with the word that
 * came on standard input: without it, anybody may have written there.
 */
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { existsSync, readFileSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { errorOf } from '@repo/common/output/errors'
import type { Exercise, Fault } from './exercise.ts'
import { callingLine, declaredAt, lineOf, watchLines } from './line.ts'
import { markName, mostPrinted, printsTooMuch, type Report } from './report.ts'

const [checkFile = '', ...rest] = process.argv.slice(2)
if (process.env[markName] === undefined || rest.length < 2) {
  const isHelp = checkFile === '--help'
  const line = '`pnpm --filter <chapter> exercise` starts this program, to check what you wrote.\n'
  process[isHelp ? 'stdout' : 'stderr'].write(line)
  process.exit(isHelp ? 0 : 2)
}

// What reports are made with, before a solution can change it.
const word = readFileSync(0, 'utf8')
const [write, toJson, kill] = [writeSync, JSON.stringify, process.kill.bind(process)]
const exit: typeof process.exit = process.exit.bind(process)
const now = performance.now.bind(performance)
const longestText = 2_000
const clipped = (_: string, value: unknown) =>
  typeof value === 'string' && value.length > longestText ? `${value.slice(0, longestText)}…` : value
const say = (report: Report) => void write(3, `\n${word}${toJson(report, clipped)}\n`)

const gapFile = join(dirname(checkFile), 'gap.ts')
let current = ''

function stop(says: string, line: number | undefined): never {
  say({ ends: current, ms: 0, fault: { says, line } })
  exit(1)
}
process.on('unhandledRejection', (error) =>
  stop(`A promise was rejected and nobody was waiting: ${messageOf(error)}`, lineOf(error)),
)
process.on('uncaughtException', (error) =>
  stop(`It throws where nobody can catch it: ${messageOf(error)}`, lineOf(error)),
)

/** A solution may throw anything: an object without a prototype, an error whose getters throw. */
function messageOf(thrown: unknown): string {
  const error = errorOf(thrown)
  return (error === thrown ? `${error.name}: ${error.message}` : error.message).split('\n')[0] ?? ''
}

// A loop that prints leaves no time to pass on what it has printed: whoever started this process cannot count it.
let printed = 0
for (const stream of [process.stdout, process.stderr]) {
  const original = stream.write.bind(stream) as (chunk: string | Uint8Array, ...others: unknown[]) => boolean
  Reflect.set(stream, 'write', (chunk: string | Uint8Array, ...others: unknown[]) => {
    printed += chunk.length
    if (printed > mostPrinted) stop(printsTooMuch, callingLine())
    return original(chunk, ...others)
  })
}

// A solution's own processes are its own to end.
process.kill = (pid, signal = 'SIGTERM') => {
  if ((Math.abs(Number(pid)) === process.ppid || Number(pid) === -1) && signal !== 0)
    stop(`It sends ${signal} to processes that are not its own.`, callingLine())
  return kill(pid, signal)
}

/** The processes that were started, with the lines that did it. */
const children = new Map<ChildProcess, number | undefined>()
subscribe('child_process', (message) => {
  const { process: child } = message as { process: ChildProcess }
  children.set(child, callingLine())
  for (const end of ['exit', 'error']) child.once(end, () => children.delete(child))
})

// Says where the main thread is when it no longer answers.
const watchdog = new Worker(new URL('./watchdog.worker.ts', import.meta.url), { workerData: word })
watchdog.unref()

async function check(file: string): Promise<Fault | undefined> {
  const url = pathToFileURL(file).href
  watchLines(url)
  watchdog.postMessage(url)
  const before = timers()
  const exercise = await checker().catch((error: unknown) => `check.ts does not load: ${messageOf(error)}`)
  if (typeof exercise === 'string') return { says: exercise }
  let solution: Record<string, unknown>
  try {
    solution = await import(url)
  } catch (error) {
    return { says: `It does not load: ${messageOf(error)}`, line: lineOf(error) }
  }
  const gap = existsSync(gapFile) ? ((await import(pathToFileURL(gapFile).href)) as Record<string, unknown>) : {}
  for (const [name, value] of Object.entries(gap)) {
    const kind = kindOf(value)
    if (kind === undefined || kind === kindOf(solution[name])) continue
    return { says: `It does not export ${name}${name in solution ? ` as a ${kind}` : ''}.` }
  }
  try {
    const fault = await exercise.check(solution, { signal: new AbortController().signal })
    if (fault) return withLine(fault, Object.keys(gap))
  } catch (error) {
    const line = lineOf(error)
    if (line === undefined && isOurs(error)) {
      return { says: `The checker itself fails, perhaps at what it was given: ${messageOf(error)}` }
    }
    return { says: `It throws ${messageOf(error)}`, line }
  }
  // What has only just ended may still be tidying up.
  for (let tries = 0; (timers() > before || children.size > 0) && tries < 5; tries++) await setTimeout(10)
  const left = timers() - before
  if (left > 0) return { says: `It is done, but leaves ${left} timer${left === 1 ? '' : 's'} running.` }
  const [running] = children
  if (!running) return undefined
  const [{ spawnargs }, line] = running
  const name = [basename(spawnargs[0] ?? ''), ...spawnargs.slice(1)].join(' ')
  // One that leads a group of its own would not end with this process.
  for (const child of children.keys()) child.kill('SIGKILL')
  return { says: `It is done, but leaves a process running: ${name}`, line }
}

/** Where no step has a line and there is but one thing to write, its declaration is the line. */
function withLine(fault: Fault, [name, ...others]: readonly string[]): Fault {
  const hasLine = fault.line !== undefined || fault.history?.some(({ line }) => line !== undefined)
  if (hasLine || name === undefined || others.length > 0) return fault
  return { ...fault, line: declaredAt(name) }
}

function kindOf(value: unknown): 'function' | 'class' | undefined {
  if (typeof value !== 'function') return undefined
  return /^class\b/.test(String(value)) ? 'class' : 'function'
}

async function checker(): Promise<Exercise<unknown>> {
  const { default: exercise } = (await import(pathToFileURL(checkFile).href)) as { default: Exercise<unknown> }
  return exercise
}

/** Whether an error was made by the checker, and not elsewhere, such as by a server. */
const isOurs = (error: unknown) => error instanceof Error && /check\.ts/.test(errorOf(error).stack ?? '')

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

for (let at = 0; at < rest.length; at += 2) {
  const file = rest[at] ?? ''
  for (let times = Number(rest[at + 1]); times > 0; times--) {
    current = file
    say({ begins: file })
    const begin = now()
    const fault = await check(file)
    say({ ends: file, ms: now() - begin, fault: fault ?? null })
    // One failure is enough.
    if (fault) break
  }
}
exit()
