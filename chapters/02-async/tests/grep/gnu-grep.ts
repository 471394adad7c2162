import { execFileSync, spawnSync } from 'node:child_process'
import { stateOfTheUnionFiles } from '@repo/common/workloads/texts'
import { expect } from 'vitest'
import { type Count, grepCommand, searchFor } from '../../src/grep/pattern.ts'
import { grepAndCount } from '../../src/grep/processes.ts'
import { ways } from '../../src/grep/ways.ts'

/** A grep that knows Perl's regular expressions, as GNU grep does. */
export const gnuGrep = {
  name: 'a grep with -P',
  found: spawnSync('grep', ['-P', 'a'], { input: 'a\n' }).status === 0,
  install:
    process.platform === 'darwin' ? 'brew install grep, and its libexec/gnubin first on PATH' : 'apt-get install grep',
}

/** What the system's grep counts in all addresses. */
async function countedByGrep(pattern: string, ignoreCase: boolean): Promise<Count> {
  const files = stateOfTheUnionFiles()
  const command = grepCommand(searchFor(pattern, ignoreCase))
  if ('leftOut' in command) throw new Error(command.leftOut)
  const { occurrences } = await grepAndCount(command, pattern, files)
  const env = { ...process.env, LC_ALL: command.locale }
  const args = ['-h', '-c', '-a', ...command.args, '-e', pattern, '--', ...files]
  // A number for each file. grep ends with 1 where it finds nothing.
  const output = execFileSync('sh', ['-c', 'grep "$@" || true', 'sh', ...args], { env, encoding: 'utf8' })
  const lines = output
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0)
  return { occurrences, lines }
}

/** Every way must count in all addresses what the system's grep counts. */
export async function everyWayCountsAsGrep(pattern: string, ignoreCase: boolean): Promise<void> {
  const { occurrences, lines } = await countedByGrep(pattern, ignoreCase)
  for (const [name, way] of Object.entries(ways)) {
    const counted = await way(searchFor(pattern, ignoreCase), stateOfTheUnionFiles())
    expect(counted, name).toEqual({ occurrences, lines })
  }
}
