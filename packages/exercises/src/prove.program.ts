/**
 * `node packages/exercises/src/prove.program.ts FOLDER…` proves exercises by their folders, as their authors do: says what
 * is wrong with each, and ends with 1 if anything is.
 */
import { resolve } from 'node:path'
import { prove } from './proof.ts'

const folders = process.argv.slice(2)
const isHelp = folders.includes('--help')
if (isHelp || folders.length === 0) {
  const usage = 'node packages/exercises/src/prove.program.ts FOLDER…: says what is wrong with exercises\n'
  process[isHelp ? 'stdout' : 'stderr'].write(usage)
  process.exit(isHelp ? 0 : 2)
}
for (const folder of folders) {
  const begin = performance.now()
  const faults = await prove(resolve(folder))
  if (faults.length > 0) process.exitCode = 1
  process.stdout.write(
    `${folder}: ${faults.length === 0 ? 'proven' : faults.join('\n  ')} (${Math.round(performance.now() - begin)} ms)\n`,
  )
}
