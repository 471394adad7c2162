/**
 * Runs an example of a chapter: `pnpm --filter <chapter> start [example] [options]`. The current folder is the
 * chapter's.
 *
 * Without a name it runs the headline, which is the first example of `tour` in the chapter's package.json, and lists
 * the others, which it finds in `examples/`.
 */
import { bold, dim } from '../output/terminal.ts'
import { type Chapter, loadExample, readChapter } from './chapter.ts'
import { endWith, watchOutput } from './interruption.ts'
import { describeError, UsageError } from './usage.ts'

async function start(chapter: Chapter, argv: string[]): Promise<number> {
  watchOutput(endWith)
  // pnpm passes on the `--` of `pnpm --filter 03-parallel start -- mandelbrot`.
  const [first = '', ...rest] = argv[0] === '--' ? argv.slice(1) : argv
  const headline = chapter.tour[0] ?? ''
  if (first === '--help' || first === '-h') {
    process.stdout.write(overview(chapter, headline))
    return 0
  }
  const named = first !== '' && !first.startsWith('-')
  const name = named ? first : headline
  if (!chapter.examples.some((example) => example.name === name)) {
    throw new UsageError('example', name, chapter.examples.map((example) => example.name).join(', '))
  }
  const options = named ? rest : first === '' ? [] : [first, ...rest]
  const code = await (await loadExample(chapter, name)).main(options)
  if (!named && code === 0 && !options.includes('--json')) process.stdout.write(`\n${overview(chapter, headline)}`)
  return code
}

function overview(chapter: Chapter, headline: string): string {
  const width = Math.max(...chapter.examples.map(({ name }) => name.length)) + 2
  return [
    bold(`Examples of ${chapter.name}: pnpm --filter ${chapter.name} start <example> [--help] [--quick] [--json]`),
    ...chapter.examples.map(
      ({ name, summary }) => `  ${name.padEnd(width)}${summary}${name === headline ? dim(' (the headline)') : ''}`,
    ),
    '',
  ].join('\n')
}

try {
  const code = await start(await readChapter(process.cwd()), process.argv.slice(2))
  process.exitCode ??= code
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
