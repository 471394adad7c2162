/** The command that starts a real cluster for a reader, and where it cannot start. */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runProgram } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it, vi } from 'vitest'
import { startSlurmCluster } from '../../src/real/slurm.ts'
import { chapter, need, theProgramLeavesNothing } from '../fixtures/real-cluster.ts'

describeReal('the command that starts it', need, () => {
  it('leaves nothing behind at SIGKILL, also of jobs that detach themselves', () => theProgramLeavesNothing('SIGKILL'))

  it('refuses a number of cores that is not a number', async () => {
    const run = await runProgram('src/real/cluster.program.ts', ['--cores', 'many'], { cwd: chapter })
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toBe('error: --cores: received "many"; accepts a whole number from 1 to 1024\n')
  })
})

it('does not start below a folder that is too long for the paths of its sockets', async ({ onTestFinished }) => {
  await using folder = await temporaryFolder()
  const long = join(folder.path, 'x'.repeat(50))
  await mkdir(long)
  onTestFinished(() => void vi.unstubAllEnvs())
  vi.stubEnv('TMPDIR', long)
  await expect(startSlurmCluster()).rejects.toThrow(
    `${long} is too long for Slurm's sockets below it; TMPDIR may name a shorter folder`,
  )
  expect(await readdir(long)).toEqual([])
})
