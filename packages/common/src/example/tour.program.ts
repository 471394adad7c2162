/**
 * The tour of `npm start`: runs examples of the chapters named on the command line with `--quick`, each in its own
 * process, and ends with a table of their results, and with the page `out/index.html`. It runs the chapters' `tour`, or
 * all examples with `--all`. The current folder is the repository's root.
 */
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { coreCount } from '../cores.ts'
import { messageOf } from '../output/errors.ts'
import { bold, howMany, milliseconds, red, table } from '../output/terminal.ts'
import { writeWhole } from '../output/whole-file.ts'
import { type Chapter, loadExample, readChapter } from './chapter.ts'
import { argsOf, type Claims, evaluate } from './claims.ts'
import { endWith, watchOutput } from './interruption.ts'
import { reportPage, type Stop, type Tour } from './report.ts'
import { startExample } from './start-example.ts'
import { describeError } from './usage.ts'

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
  const failure = (chapter: string, example: string, shown: string, error: unknown, ms = 0): Stop => ({
    chapter,
    example,
    shown,
    ms,
    pictures: [],
    claims: [],
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
        const ms = performance.now() - startedAt
        const figure = (await loadExample(chapter, example)).figure(result)
        const claims = await evaluateClaims(chapter, example, result)
        const pictures = picturesOf(result)
        stops.push({ chapter: name, example, shown: summary, figure, ms, pictures, claims, failed: false })
        process.stderr.write(`${figure} (${milliseconds(ms)})\n`)
      } catch (error) {
        stops.push(failure(name, example, summary, error, performance.now() - startedAt))
      }
      if (exitCode !== undefined) return stops
    }
  }
  return stops
}

/** Runs an example in its quick form and returns its JSON document. Throws an Error with the example's last error message. */
async function runExample(chapter: Chapter, name: string): Promise<unknown> {
  const { process: child, result } = startExample(chapter.folder, name, ['--quick'], (text) => {
    process.stderr.write(text)
  })
  running = child
  try {
    return await result
  } finally {
    running = undefined
  }
}

/** The claims of the chapter's text about the quick form of an example, evaluated on its JSON document. */
async function evaluateClaims(chapter: Chapter, example: string, result: unknown): Promise<Stop['claims']> {
  const file = join(chapter.folder, 'claims', `${example}.ts`)
  if (!existsSync(file)) return []
  try {
    const { default: declared } = (await import(pathToFileURL(file).href)) as { default: Claims }
    return Object.values(declared.claims)
      .filter((claim) => argsOf(claim).join(' ') === '--quick')
      .map((claim) => ({ says: claim.says, ...evaluate(claim, result) }))
  } catch (error) {
    // The example has done its work.
    process.stderr.write(`warning: ${file}: ${messageOf(error)}\n`)
    return []
  }
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

/** Writes the page and returns its path; where it cannot be written, that is a warning and the result undefined. */
async function writePage(tour: Omit<Tour, 'chapters' | 'machine'>): Promise<string | undefined> {
  const page = join('out', 'index.html')
  const cores = coreCount()
  const machine = `${howMany(cores, 'core')}, ${process.platform} ${process.arch}, Node ${process.versions.node}`
  try {
    await writeWhole(page, reportPage({ ...tour, chapters: await chapterTitles(), machine }))
    return page
  } catch (error) {
    process.stderr.write(`warning: ${page} cannot be written: ${messageOf(error)}\n`)
    return undefined
  }
}

/** All chapters, and the first lines of their texts. */
async function chapterTitles(): Promise<Tour['chapters']> {
  const names = (await readdir('chapters')).sort()
  const titles = names.map(async (name) => {
    const readme = await readFile(join('chapters', name, 'README.md'), 'utf8').catch(() => '')
    return { name, title: /^# (.+)/.exec(readme)?.[1] ?? name }
  })
  return await Promise.all(titles)
}

const startedAt = new Date()
const [first, ...others] = process.argv.slice(2)
const all = first === '--all'
const stops = await tour(all ? others : process.argv.slice(2), all)
if (exitCode === undefined) {
  const page = stops.length > 0 ? await writePage({ stops, startedAt }) : undefined
  process.stdout.write(`${report(stops)}${page ? `\nAll of it with its pictures: ${page}\n` : ''}`)
}
process.exitCode = exitCode ?? (stops.some((stop) => stop.failed) ? 1 : 0)
