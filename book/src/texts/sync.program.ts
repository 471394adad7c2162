/**
 * Writes the code of the regions into the texts of the repository in the current folder, and says which blocks changed. With
 * `--check` it writes nothing, and exits with 1 if something would change.
 */
import { endWith, watchOutput } from '@repo/common/example/interruption'
import { describeError, UsageError } from '@repo/common/example/usage'
import { syncTexts } from './check.ts'

const [option, ...others] = process.argv.slice(2)
watchOutput(endWith)
try {
  if ((option !== undefined && option !== '--check') || others.length > 0) {
    throw new UsageError('option', others[0] ?? option, '--check')
  }
  const onlyCheck = option === '--check'
  const { changed, faults } = await syncTexts(process.cwd(), !onlyCheck)
  const line = ({ file, line, message }: (typeof faults)[number]) => `${file}:${line}: ${message}\n`
  for (const each of changed) {
    process.stdout.write(
      onlyCheck ? line(each) : `${each.file}:${each.line}: ${each.message.replace(/; accepts.*/, '')}: written\n`,
    )
  }
  for (const each of faults) process.stderr.write(line(each))
  process.exitCode = faults.length > 0 || (onlyCheck && changed.length > 0) ? 1 : 0
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
