import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { commandLine, fromHome, quote } from '../../src/ssh/quote.ts'
import { hostileArgument, printArguments } from '../hostile.ts'

const execute = promisify(execFile)

/** Login shells of accounts on clusters; each must read the line in the same way. */
const shells = ['sh', 'bash', 'zsh', 'tcsh', 'fish']
const here = await Promise.all(
  shells.map((shell) =>
    execute(shell, ['-c', 'true']).then(
      () => true,
      () => false,
    ),
  ),
)

describe('quote', () => {
  it('leaves plain words unchanged', () => {
    expect(['squeue', '--format=%i', 'a,b', '/home/x/y.sh', 'user@host:1'].map(quote)).toEqual([
      'squeue',
      '--format=%i',
      'a,b',
      '/home/x/y.sh',
      'user@host:1',
    ])
    expect(['', 'a b', "it's", '$HOME', '*'].map(quote)).toEqual(["''", "'a b'", "'it'\\''s'", "'$HOME'", "'*'"])
  })

  it('puts the folder and the environment before the command', () => {
    expect(commandLine(['sbatch', 'my job.sh'], { cwd: '~/runs/1', environment: { N: '1 2' } })).toBe(
      "cd ./runs/1 && env 'N=1 2' sbatch 'my job.sh'",
    )
  })

  it('never lets a path be taken for an option', () => {
    expect(['-rf', '~', '~/-x', '', 'a/b', '/c'].map(fromHome)).toEqual(['./-rf', '.', './-x', './', 'a/b', '/c'])
  })

  it('refuses what cannot be an argument or a variable name', () => {
    expect(() => quote('a\0b')).toThrow('cannot hold a NUL')
    expect(() => commandLine(['true'], { environment: { 'A=B; id': '1' } })).toThrow('accepts letters, digits and _')
  })
})

for (const [at, shell] of shells.entries()) {
  const need = { name: shell, found: here[at], install: `sudo apt-get install ${shell}` }
  describeReal(`a command line through ${shell}`, need, () => {
    it('passes every argument on unchanged', async () => {
      await using folder = await temporaryFolder()
      const program = join(folder.path, 'arguments')
      await writeFile(program, printArguments)
      await chmod(program, 0o755)
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(hostileArgument, { maxLength: 5 }), { size: 'max', maxLength: 20 }),
          async (commands) => {
            // Several in one process: starting a shell takes longer than the commands.
            const lines = commands.map((args) =>
              commandLine([program, ...args], { cwd: folder.path, environment: { A: args[0] ?? '' } }),
            )
            const { stdout } = await execute(shell, ['-c', lines.join('; ')])
            expect(stdout.split('\0')).toEqual([...commands.flatMap((args) => [args[0] ?? '', ...args]), ''])
          },
        ),
        { numRuns: 5 },
      )
    })
  })
}
