/**
 * The tour of `npm start`: runs examples of the chapters named on the command line with `--quick`, each in its own
 * process, and ends with a table of their results. It runs the chapters' `tour`, or all examples with `--all`. The
 * current folder is the repository's root.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { isAbsolute, join, relative } from 'node:path'
import { bold, milliseconds, red, table } from '../output/terminal.ts'
import { loader } from '../process/child.ts'
import { type Chapter, loadExample, readChapter } from './chapter.ts'
import { endWith, watchOutput } from './interruption.ts'
import { describeError } from './usage.ts'

interface Stop {
  chapter: string
  example: string
  shown: string
  figure: string
  pictures: string[]
  failed: boolean
}

let running: ChildProcess | undefined
let exitCode: number | undefined

/** Passes the signal on to the running example. When that has cleaned up and ended, so does the tour. */
function interrupt(signal: NodeJS.Signals, code: number) {
  exitCode ??= code
  running?.kill(signal)
}

process.on('SIGINT', () => interrupt('SIGINT', 130))
process.on('SIGTERM', () => interrupt('SIGTERM', 143))
process.on('SIGHUP', () => interrupt('SIGTERM', 129))
// The program that started the tour has ended, perhaps killed: nobody sees the rest.
process.on('disconnect', () => interrupt('SIGTERM', 143))
process.channel?.unref()
watchOutput((code, reason) => {
  endWith(code, reason)
  interrupt('SIGTERM', code)
})

async function tour(names: string[], all: boolean): Promise<Stop[]> {
  const stops: Stop[] = []
  const failure = (chapter: string, example: string, shown: string, error: unknown): Stop => ({
    chapter,
    example,
    shown,
    pictures: [],
    failed: true,
    figure: describeError(error).replace(/^error: /, 'failed: '),
  })
  for (const name of names) {
    let chapter: Chapter
    try {
      chapter = await readChapter(join('chapters', name))
    } catch (error) {
      stops.push(failure(name, '', '', error))
      continue
    }
    for (const example of all ? chapter.examples.map(({ name }) => name) : chapter.tour) {
      const summary = chapter.examples.find(({ name }) => name === example)?.summary
      if (summary === undefined) {
        stops.push(failure(name, example, 'listed in the tour', new Error(`there is no examples/${example}.ts`)))
        continue
      }
      process.stderr.write(`\n${bold(`${name} ${example}`)}: ${summary}\n`)
      const startedAt = performance.now()
      try {
        const result = await runExample(chapter, example)
        const figure = (await loadExample(chapter, example)).figure(result)
        stops.push({ chapter: name, example, shown: summary, figure, pictures: picturesOf(result), failed: false })
        process.stderr.write(`${figure} (${milliseconds(performance.now() - startedAt)})\n`)
      } catch (error) {
        stops.push(failure(name, example, summary, error))
      }
      if (exitCode !== undefined) return stops
    }
  }
  return stops
}

/**
 * Runs an example as a reader does and returns its JSON document. Throws an Error with the example's last error
 * message.
 */
function runExample(chapter: Chapter, name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // In its own process group it receives a Ctrl-C once: from here.
    const child = spawn(process.execPath, [...loader(), join('examples', `${name}.ts`), '--quick', '--json'], {
      cwd: chapter.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    })
    running = child
    let json = ''
    let notices = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      json += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      notices = (notices + text).slice(-10_000)
      process.stderr.write(text)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      running = undefined
      if (code === 0) {
        try {
          resolve(JSON.parse(json))
        } catch (error) {
          reject(new Error('it printed no JSON document', { cause: error }))
        }
        return
      }
      const lines = notices.trim().split('\n')
      const message = lines.findLast((line) => /^(error|\w*Error( \[\w+\])?): /.test(line))
      reject(new Error(message?.replace(/^error: /, '') ?? `it ended with ${signal ?? `exit code ${code}`}`))
    })
  })
}

/** The paths in an example's `picture`, relative to the root. */
function picturesOf(result: unknown): string[] {
  const { picture = [] } = result as { picture?: string | string[] }
  // Another text says why the picture could not be written.
  return [picture].flat().map((path) => (isAbsolute(path) ? relative('', path) : path))
}

/** Breaks a text between words into lines of at most `width` characters. */
function wrap(text: string, width: number): string {
  return text.replaceAll(new RegExp(`(.{1,${width}})(?:\\s+|$)`, 'g'), '$1\n').trim()
}

function report(stops: Stop[]): string {
  const columns = process.stdout.columns ?? 120
  const longest = (texts: string[]) => Math.max(7, ...texts.map((text) => text.length))
  const pictureWidth = longest(stops.flatMap((stop) => stop.pictures))
  // The width that is left after the chapters' names and the margins. Pictures get their own column if it is wide
  // enough.
  const rest = columns - longest(stops.map((stop) => stop.chapter)) - 8
  const isWide = rest - pictureWidth >= 48
  const figureWidth = isWide ? Math.floor((rest - pictureWidth) * 0.45) : Math.max(pictureWidth, 24)
  const shownWidth = Math.max(16, rest - figureWidth - (isWide ? pictureWidth : 0))
  const rows = stops.map(({ chapter, example, shown, figure, pictures, failed }) => {
    const figureLines = wrap(figure, figureWidth)
      .split('\n')
      .map((line) => (failed ? red(line) : line))
    const cells = [chapter, wrap(example && `${example}: ${shown}`, shownWidth)]
    return isWide
      ? [...cells, figureLines.join('\n'), pictures.join('\n')]
      : [...cells, [...figureLines, ...pictures].join('\n')]
  })
  const ran = stops.filter((stop) => !stop.failed)
  const first = ran[0] ?? stops[0]
  return [
    '',
    table(['chapter', 'what was shown', ...(isWide ? ['figure', 'picture'] : ['figure and picture'])], rows),
    '',
    bold('What to try next'),
    ...(first
      ? [
          `  npx pnpm@12 --filter ${first.chapter} start ${first.example}         in full`,
          `  npx pnpm@12 --filter ${first.chapter} start ${first.example} --help  its options`,
          `  npm start -- ${first.chapter.slice(0, 2)}  all of the chapter's examples`,
        ]
      : []),
    '  npm test  every test',
    '',
  ].join('\n')
}

const [first, ...others] = process.argv.slice(2)
const all = first === '--all'
const stops = await tour(all ? others : process.argv.slice(2), all)
if (exitCode === undefined) process.stdout.write(report(stops))
process.exitCode = exitCode ?? (stops.some((stop) => stop.failed) ? 1 : 0)
