/**
 * Checks the texts: `node book/src/texts/check.program.ts [--numbers] [chapter…]` from the repository's root. It prints a line for
 * each fault. Chapters may be named by their first letters. `--numbers` shows only the numbers that nothing answers for.
 */
import { endWith, watchOutput } from '@repo/common/example/interruption'
import { describeError, UsageError } from '@repo/common/example/usage'
import { howMany } from '@repo/common/output/terminal'
import { checkTexts } from './check.ts'
import { chapterFolders, chapterNamed } from './folders.ts'

const words = process.argv.slice(2)
const onlyNumbers = words.includes('--numbers')
watchOutput(endWith)
try {
  const unknown = words.find((word) => word.startsWith('-') && word !== '--numbers')
  if (unknown) throw new UsageError('option', unknown, '--numbers')
  const folders = await chapterFolders('.')
  const chosen = words.filter((word) => word !== '--numbers').map((word) => chapterNamed(folders, word))
  const found = await checkTexts(process.cwd(), chosen.length > 0 ? chosen : undefined)
  const faults = found.filter(({ message }) => !onlyNumbers || message.startsWith('number:'))
  for (const { file, line, message } of faults) process.stdout.write(`${file}:${line}: ${message}\n`)
  if (faults.length > 0) process.stderr.write(`error: ${howMany(faults.length, 'fault')} in the texts\n`)
  process.exitCode = faults.length > 0 ? 1 : 0
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
