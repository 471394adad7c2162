/**
 * Evaluates the claims of the texts on this machine: `[chapter [example…]] [--json]`, in the repository's root. The variable MISSING
 * has, as JSON, what examples such as `04-celery/canvas` cannot run without and the machine lacks.
 */
import { listenForSignals } from '@repo/common/example/interruption'
import { describeError, UsageError } from '@repo/common/example/usage'
import { green, red, table, yellow } from '@repo/common/output/terminal'
import { type Declared, loadClaims } from './claims.ts'
import { chapterFolders, chapterNamed } from './folders.ts'
import { type Row, runClaims } from './run-claims.ts'

/** As long as examples may take to clean up. */
const cleanUpDeadlineMs = 60_000

const colours = { holds: green, 'does not hold here': red, failed: red, 'not applicable': yellow }

/** The claims of a chapter, or of the named examples, or of all chapters. */
async function choose([given, ...examples]: string[]): Promise<Declared[]> {
  const folders = await chapterFolders('.')
  const chosen = given === undefined ? folders : [chapterNamed(folders, given)]
  const loaded = await Promise.all(chosen.map((folder) => loadClaims(process.cwd(), folder)))
  const [fault] = loaded.flatMap(({ faults }) => faults)
  if (fault) throw new Error(`${fault.file}:${fault.line}: ${fault.message}`)
  const declared = loaded.flatMap(({ declared }) => declared)
  const known = [...new Set(declared.map(({ example }) => example))]
  for (const example of examples) {
    if (!known.includes(example)) throw new UsageError('example', example, known.join(', ') || 'none: it has no claims')
  }
  return declared.filter(({ example }) => examples.length === 0 || examples.includes(example))
}

function report(rows: Row[]): string {
  const count = (outcome: Row['outcome']) => rows.filter((row) => row.outcome === outcome).length
  const failed = count('failed') > 0 ? `; ${count('failed')} could not be evaluated` : ''
  return [
    table(
      ['chapter', 'example', 'claim', 'outcome', 'why'],
      rows.map(({ chapter, example, id, outcome, values = '' }) => [
        chapter,
        example,
        id,
        colours[outcome](outcome),
        values,
      ]),
    ),
    '',
    `${rows.length} claims: ${count('holds')} hold, ${count('does not hold here')} do not hold here, ${count('not applicable')} are not applicable${failed}.`,
    '',
  ].join('\n')
}

const interruption = listenForSignals(cleanUpDeadlineMs)
try {
  const words = process.argv.slice(2)
  const unknown = words.find((word) => word.startsWith('-') && word !== '--json')
  if (unknown) throw new UsageError('option', unknown, '--json')
  const declared = await choose(words.filter((word) => word !== '--json'))
  const missing = JSON.parse(process.env.MISSING ?? '{}') as Record<string, string[]>
  const rows = await runClaims(declared, {
    signal: interruption.signal,
    onRun: (command, at, all) => void process.stderr.write(`[${at} of ${all}] ${command}\n`),
    missing: (example) => missing[example] ?? [],
  })
  process.stdout.write(words.includes('--json') ? `${JSON.stringify(rows)}\n` : report(rows))
  const bad = rows.some(({ outcome }) => outcome === 'failed' || outcome === 'does not hold here')
  process.exitCode = interruption.exitCode ?? (bad ? 1 : 0)
} catch (error) {
  if (interruption.exitCode === undefined) process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = interruption.exitCode ?? (error instanceof UsageError ? 2 : 1)
}
interruption.stopListening()
