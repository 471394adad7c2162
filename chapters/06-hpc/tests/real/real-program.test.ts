/** The command that starts a real cluster for a reader. */
import { runProgram } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { chapter, need, theProgramLeavesNothing } from '../fixtures/real-cluster.ts'

describeReal('the command that starts it', need, () => {
  it('leaves nothing behind at SIGKILL, also of jobs that detach themselves', () => theProgramLeavesNothing('SIGKILL'))

  it('refuses a number of cores that is not a number', async () => {
    const run = await runProgram('src/real/cluster.program.ts', ['--cores', 'many'], { cwd: chapter })
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toBe('error: --cores: received "many"; accepts a whole number from 1 to 1024\n')
  })
})
