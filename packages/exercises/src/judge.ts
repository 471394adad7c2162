/** Judges solutions: runs their checker in a process of its own, and turns whatever happens there into a verdict. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { guard } from '@repo/common/process/guard'
import { processesWith } from '@repo/common/process/marked'
import type { Fault } from './exercise.ts'
import { markName, mostPrinted, printsTooMuch, type Report } from './report.ts'

/** What became of one check of a solution. */
export interface Verdict {
  exercise: string
  /** The file that was checked. */
  file: string
  passed: boolean
  ms: number
  fault?: Fault
  /** The beginning of what it printed, by lines. */
  printed: string[]
}

export interface JudgeOptions {
  /** A check that takes longer is stopped; 10 s by default. */
  deadlineMs?: number
  signal?: AbortSignal
}

const shownLines = 20
const memoryMb = 512
const program = fileURLToPath(new URL('./check.program.ts', import.meta.url))
/** Where Node keeps what it has compiled, as `npm test` does: a check then starts in half the time. */
const compiled = fileURLToPath(new URL('../../../node_modules/.cache/compile', import.meta.url))

/**
 * Checks one solution of an exercise.
 *
 * @param folder the exercise's folder
 * @param file the solution; its exercise.ts by default
 */
export async function judge(
  folder: string,
  file = join(folder, 'exercise.ts'),
  options: JudgeOptions = {},
): Promise<Verdict> {
  for await (const verdict of judgeAll(folder, [{ file }], options)) return verdict
  throw new Error(`${file}: no verdict`)
}

/** Checks several solutions of an exercise, one after the other, and yields a verdict for each time. */
export async function* judgeAll(
  folder: string,
  files: readonly { file: string; times?: number }[],
  { deadlineMs = 10_000, signal }: JudgeOptions = {},
): AsyncGenerator<Verdict> {
  const exercise = basename(folder)
  let left = files.map(({ file, times = 1 }) => ({ file, times }))
  while (left.length > 0) {
    signal?.throwIfAborted()
    const [next] = left
    if (next === undefined) return
    if (!existsSync(next.file)) {
      const says = `${basename(next.file)} does not exist: --reset puts it back.`
      yield { exercise, file: next.file, passed: false, ms: 0, fault: { says }, printed: [] }
      left = left.slice(1)
      continue
    }
    // A process that dies, or is stopped, has judged only some of them.
    for await (const verdict of judgeInProcess(folder, left, deadlineMs, signal)) {
      const [first] = left
      if (first?.file !== verdict.file) continue
      if (--first.times === 0 || !verdict.passed) left = left.slice(1)
      yield { exercise, ...verdict }
      if (left.length === 0) return
    }
  }
}

async function* judgeInProcess(
  folder: string,
  files: readonly { file: string; times: number }[],
  deadlineMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Omit<Verdict, 'exercise'>> {
  const args = files.flatMap(({ file, times }) => [file, String(times)])
  const [mark, word] = [randomUUID(), randomUUID()]
  const child = spawn(
    process.execPath,
    [
      `--max-old-space-size=${memoryMb}`,
      '--disable-warning=ExperimentalWarning',
      program,
      join(folder, 'check.ts'),
      ...args,
    ],
    {
      cwd: folder,
      // A group of its own, so that whatever the reader's code starts ends as well.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: { NODE_COMPILE_CACHE: compiled, ...process.env, NODE_OPTIONS: '', FORCE_COLOR: '0', [markName]: mark },
    },
  )
  const [stdin, stdout, stderr, reports] = child.stdio as unknown as [Writable, Readable, Readable, Readable]
  const exited = once(child, 'exit')
  // Awaited later, if at all.
  exited.catch(() => {})
  // Reports begin with this word, which a solution does not know.
  stdin.on('error', () => {}).end(word)
  const release = child.pid === undefined ? undefined : guard(child.pid)
  const kill = () => {
    if (child.pid !== undefined) end(-child.pid)
  }
  signal?.addEventListener('abort', kill)

  let printed = ''
  let bytes = 0
  let stopped: string | undefined
  let errors = ''
  const count = (text: string) => {
    bytes += text.length
    if (bytes <= 2 * mostPrinted || stopped !== undefined) return
    stopped = printsTooMuch
    kill()
  }
  stdout.setEncoding('utf8').on('data', (text: string) => {
    if (printed.length < 10_000) printed += text
    count(text)
  })
  stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-10_000)
    count(text)
  })
  reports.setEncoding('utf8').on('data', count)
  /** Returns the pids of what the solutions have started. Some of it may lead groups of its own, or have lost its parent. */
  const others = async () =>
    (await processesWith(markName, mark)).map((line) => Number.parseInt(line, 10)).filter((pid) => pid !== child.pid)
  let expected = files.reduce((sum, { times }) => sum + times, 0)
  let current = files[0]?.file ?? ''
  let began = performance.now()
  let timer: NodeJS.Timeout | undefined
  const watch = () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      stopped = `It does not end within ${deadlineMs / 1000} s: something is awaited that never comes.`
      kill()
    }, deadlineMs)
  }
  watch()
  try {
    for await (const line of createInterface({ input: reports })) {
      // A solution may have written there as well.
      if (!line.startsWith(word)) continue
      const report = JSON.parse(line.slice(word.length)) as Report
      if (!('ends' in report)) {
        if ('begins' in report) {
          current = report.begins
          began = performance.now()
        }
        watch()
        continue
      }
      const { ms } = report
      let { fault } = report
      if (--expected === 0 && fault === null && (await others()).length > 0)
        fault = { says: 'It is done, but a process that it has started is still running.' }
      const lines = printedLines(printed)
      printed = ''
      yield { file: current, passed: fault === null, ms, printed: lines, ...(fault && { fault }) }
      // It is in an endless loop, and cannot be asked to check another.
      if (report.ends === pathToFileURL(current).href) return
      current = ''
    }
    if (current === '') return
    await exited
    signal?.throwIfAborted()
    const says = stopped ?? howItEnded(child.exitCode, child.signalCode, errors)
    yield {
      file: current,
      passed: false,
      ms: performance.now() - began,
      fault: { says },
      printed: printedLines(printed),
    }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', kill)
    kill()
    if (child.exitCode === null && child.signalCode === null) await exited
    for (const pid of await others()) end(pid)
    await release?.()
  }
}

/** Ends a process, or the group whose leader has the negative number. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function howItEnded(code: number | null, name: string | null, errors: string): string {
  if (/heap out of memory/.test(errors)) return `It needs more than ${memoryMb} MB of memory.`
  // Node's code for a program that has nothing left to wait for.
  if (code === 13) return 'It does not end: something is awaited that never comes.'
  if (name !== null) return `Its process was ended by ${name}.`
  const [reason] = errors.match(/^\w*Error.*$/m) ?? []
  return `It ends its process, with exit code ${code}${reason ? `: ${reason}` : ''}.`
}

function printedLines(text: string): string[] {
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => line.trim() !== '')
  const more = lines.length - shownLines
  return more > 0 ? [...lines.slice(0, shownLines), '… and more'] : lines
}
