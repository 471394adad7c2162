/** submit, dag and debug on the practice cluster by Slurm, and what a reader does. */
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import submit from '../../examples/submit.ts'
import { chapter, run, showDagOn, showJobsOn, windows } from '../fixtures/submit-dag-debug.ts'
import { typeInto } from '../typed.ts'

showJobsOn('slurm')
showDagOn('slurm')

describe.skipIf(windows).concurrent('submit', () => {
  it('shows each step as the reader would type it', async () => {
    const { code, stdout, leftBehind } = await run('submit', '--quick')
    expect(code).toBe(0)
    expect(await leftBehind()).toEqual([])
    const typed = [...stdout.matchAll(/^\$ (\S+)/gm)].map(([, program]) => program)
    expect(typed.filter((program) => program !== 'squeue')).toEqual(['cat', 'sbatch', 'cat'])
    expect(stdout).toContain('#SBATCH --job-name=hello')
    expect(stdout).toMatch(/completed, on n\d\nExit code 0\.\n$/)
  })

  it("runs the reader's own program with its arguments unchanged", async () => {
    const text = `it's "$HOME"; *`
    const own = await submit.run({ name: 'mine' }, ['sh', '-c', 'printf %s "$1"; exit 4', 'sh', text])
    expect(own).toMatchObject({ state: 'failed', exitCode: 4, stdout: text })
  })

  it('stops on Ctrl-C, and its job and its cluster are gone', async () => {
    const options = { interruptWhen: /\$ squeue/ }
    const { code, leftBehind } = await runExample(chapter, 'submit', ['--', 'sleep', '1000'], options)
    expect(code).toBe(130)
    expect(await leftBehind()).toEqual([])
  })

  it('leaves nothing behind when it is killed', async () => {
    const options = { interruptWhen: /\$ squeue/, interruptWith: 'SIGKILL' } as const
    const { signal, leftBehind } = await runExample(
      chapter,
      'submit',
      ['--', 'sh', '-c', 'sleep 1000 & sleep 1000'],
      options,
    )
    expect(signal).toBe('SIGKILL')
    expect(await leftBehind(20_000)).toEqual([])
  })

  it.each([
    ['--queue nosuch', { queue: 'nosuch' }, /queue nosuch"; accepts .*sbatch.*invalid partition specified: nosuch/],
    [
      'more cores than any node has',
      { cores: 5_000 },
      /"5,000 cores.*accepts .*Requested node configuration is not available/,
    ],
  ])('says in the words of the scheduler that it refuses %s', async (_, args, message) => {
    const refused = submit.run(args)
    await expect(refused).rejects.toThrow(/^the job: received [^\n]*$/)
    await expect(refused).rejects.toThrow(message)
  })
})

describe.skipIf(windows).concurrent('debug', () => {
  it('gives the reader a shell on a node', async () => {
    const { code, stdout } = await typeInto(['--shell'], 'hostname; echo "$((2 + 3))"\nexit\n')
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^n[12]\n5\n$/) })
  })
})
