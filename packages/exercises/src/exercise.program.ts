/**
 * `pnpm --filter <chapter> exercise [name] [--watch | --hint | --solution | --reset] [--json]`. The current folder is the
 * chapter's.
 */
import { existsSync, watch } from 'node:fs'
import { copyFile, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { listenForSignals } from '@repo/common/example/interruption'
import { describeError, UsageError } from '@repo/common/example/usage'
import { bold, dim, green } from '@repo/common/output/terminal'
import { writeWhole } from '@repo/common/output/whole-file'
import { judge } from './judge.ts'
import { changeProgress, type Listed, listExercises, type Progress } from './progress.ts'
import { typeError } from './type-errors.ts'
import { verdictText } from './verdict-text.ts'

const chapter = process.cwd()
const pnpm = `pnpm --filter ${basename(chapter)} exercise`
const help = `${pnpm} [name]: exercises whose checker tries to break your code

  ${pnpm}                    what there is, and what is done
  ${pnpm} NAME               checks exercises/NAME/exercise.ts

  --watch     checks it again whenever you save; Ctrl-C ends
  --hint      the next hint
  --solution  one solution
  --reset     puts the gap back; what you wrote is kept as exercise.before-reset.ts
  --json      the list, or the verdict, as one JSON document
  --help      this text
`
const options = {
  watch: { type: 'boolean' },
  hint: { type: 'boolean' },
  solution: { type: 'boolean' },
  reset: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const print = (text: string) => void process.stdout.write(`${text}\n`)

async function main(argv: string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parse(argv[0] === '--' ? argv.slice(1) : argv)
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  const ways = (['watch', 'hint', 'solution', 'reset'] as const).filter((way) => values[way])
  if (ways.length > 1)
    throw new UsageError('options', ways.map((way) => `--${way}`).join(' '), 'one of these at a time')
  if (values.json && ways.length > 0) throw new UsageError('options', `--json --${ways[0]}`, '--json without others')
  const list = await listExercises(chapter)
  const [name, more] = positionals
  if (name === undefined) {
    if (ways.length > 0)
      throw new UsageError('exercise', undefined, `one of ${list.map((each) => each.name).join(', ')}`)
    print(values.json ? JSON.stringify(list, null, 2) : overview(list))
    return 0
  }
  const chosen = list.find((each) => each.name === name)
  if (!chosen) throw new UsageError('exercise', name, list.map((each) => each.name).join(', '))
  if (more !== undefined) throw new UsageError('exercise', positionals.join(' '), 'one at a time')
  const folder = join(chapter, 'exercises', name)
  if (values.hint) return await hint(folder, chosen)
  if (values.solution) {
    process.stdout.write(await readFile(join(folder, 'solution.ts'), 'utf8'))
    return 0
  }
  if (values.reset) return await reset(folder)
  if (values.watch) return await checkOnSave(folder, signal)
  return await check(folder, Boolean(values.json), signal)
}

function parse(argv: string[]) {
  try {
    return parseArgs({ args: argv, options, allowPositionals: true })
  } catch (error) {
    const [, option = ''] = /'(-[^' ]*)/.exec((error as Error).message) ?? []
    throw new UsageError(
      'option',
      option || argv.join(' '),
      Object.keys(options)
        .map((each) => `--${each}`)
        .join(', '),
    )
  }
}

function overview(list: readonly Listed[]): string {
  const width = Math.max(...list.map(({ name }) => name.length), 0) + 2
  const done = list.filter(({ passedAt }) => passedAt !== undefined).length
  return [
    bold(`Exercises of ${basename(chapter)}: ${done} of ${list.length} done`),
    ...list.map(({ name, title, passedAt }) => `  ${passedAt ? green('✓') : dim('·')} ${name.padEnd(width)}${title}`),
    '',
    `Open exercises/NAME/README.md, fill the gap in exercise.ts, and check it: ${pnpm} NAME`,
  ].join('\n')
}

async function check(folder: string, asJson: boolean, signal: AbortSignal): Promise<number> {
  const name = basename(folder)
  const file = join(folder, 'exercise.ts')
  // Node runs what does not compile: a type error is looked for at the same time.
  const [ran, fault] = await Promise.all([judge(folder, file, { signal }), existsSync(file) && typeError(file, signal)])
  // What ended its process early, or never ends, matters more than what the compiler thinks of it.
  const isStopped = /^It (ends its process|does not end|does not load|prints|sends)/.test(ran.fault?.says ?? '')
  const verdict = fault && !isStopped ? { ...ran, passed: false, fault } : ran
  if (asJson) print(JSON.stringify(verdict, null, 2))
  else {
    print(verdictText(verdict, Math.min(process.stdout.columns || 110, 140)))
    print(dim(verdict.passed ? `\n  One solution: ${pnpm} ${name} --solution` : `\n  A hint: ${pnpm} ${name} --hint`))
  }
  if (!verdict.passed) return 1
  await note(folder, { passedAt: new Date().toISOString() })
  return 0
}

/** What the reader has done holds even where it cannot be noted. */
async function note(folder: string, change: Partial<Progress>): Promise<void> {
  await changeProgress(folder, change).catch((error: Error) => {
    process.stderr.write(`notice: what you have done cannot be noted: ${error.message}\n`)
  })
}

async function checkOnSave(folder: string, signal: AbortSignal): Promise<number> {
  const changed = () =>
    new Promise<void>((resolve) => {
      const watcher = watch(folder, { signal }, (_, file) => {
        if (file === null || /^(exercise|check)\.ts$/.test(file)) watcher.close()
      })
      watcher.on('close', resolve)
    })
  for (;;) {
    // Watched while it is checked: a save in the meantime counts.
    const next = changed()
    await check(folder, false, signal)
    print(dim('\n  waiting for the next save (Ctrl-C ends) …\n'))
    await next
    if (signal.aborted) return 130
    // Editors write a file in several steps.
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function hint(folder: string, { name, hints }: Listed): Promise<number> {
  const all = (await readFile(join(folder, 'hints.md'), 'utf8'))
    .split(/^## .*$/m)
    .slice(1)
    .map((text) => text.trim())
  const shown = all.slice(0, hints + 1)
  if (hints >= all.length) print(`There are no more hints. One solution: ${pnpm} ${name} --solution\n`)
  print(shown.map((text, at) => `${bold(`Hint ${at + 1} of ${all.length}`)}\n\n${text}\n`).join('\n'))
  await note(folder, { hints: Math.min(all.length, hints + 1) })
  return 0
}

async function reset(folder: string): Promise<number> {
  const file = join(folder, 'exercise.ts')
  // Its first line is for those who prove the exercises.
  const gap = (await readFile(join(folder, 'gap.ts'), 'utf8')).replace(/^\/\/ The checker says: .*\n/, '')
  if (existsSync(file) && (await readFile(file, 'utf8')) !== gap) {
    await copyFile(file, join(folder, 'exercise.before-reset.ts'))
    print('what you wrote is kept in exercise.before-reset.ts')
  }
  await writeWhole(file, gap)
  print(`${basename(folder)}: exercise.ts has its gap again`)
  return 0
}

const interruption = listenForSignals()
try {
  const code = await main(process.argv.slice(2), interruption.signal)
  process.exitCode = interruption.exitCode ?? code
} catch (error) {
  if (interruption.exitCode === undefined) process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = interruption.exitCode ?? (error instanceof UsageError ? 2 : 1)
} finally {
  interruption.stopListening()
}
