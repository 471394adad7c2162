/** What takes its time on a real Slurm: jobs that run into a limit, and how a real cluster starts and ends. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import rest from '../../examples/rest.ts'
import { needRest } from '../fixtures/need-rest.ts'
import { longestBelowMillion } from '../fixtures/on-each-scheduler.ts'
import { need, patience, theProgramLeavesNothing, useRealCluster } from '../fixtures/real-cluster.ts'
import { slowNode } from '../fixtures/slow-node.ts'

describeReal('on a real cluster a long example', needRest, () => {
  const { start, documentOf, asAdministrator } = useRealCluster({ accounting: true, rest: true })
  /**
   * Does something to each running job with this name that was submitted in this way, once and until it says that it
   * has, while the work goes on.
   */
  async function toEach<T>(
    { name, by }: { name: string; by: string },
    act: (id: string, folder: string) => Promise<boolean>,
    work: Promise<T>,
  ) {
    const done = new Set<string>()
    async function look() {
      const list = await asAdministrator('squeue', '-h', '-r', '--states=running', '-o', '%i %j %Z')
      for (const line of list.split('\n')) {
        const [id = '', called = '', folder = ''] = line.split(' ')
        if (!called.startsWith(name)) continue
        // The other runs go on at the same time, with jobs of the same name; their files differ.
        const script = await readFile(join(folder, `${name}.sh`), 'utf8')
        const own = script.includes('#SBATCH') ? 'slurm' : existsSync(join(folder, `${name}.json`)) ? 'rest' : 'torque'
        const isOwn = own === by
        if (isOwn && !done.has(id) && (await act(id, folder))) done.add(id)
      }
    }
    let over = false
    const acting = (async () => {
      // A job may end, and its folder go, while one looks; and a busy controller does not answer each time.
      for (; !over; await delay(300)) await look().catch(() => {})
    })()
    try {
      return await work
    } finally {
      over = true
      await acting
    }
  }

  describe.concurrent('by the commands of either scheduler', { timeout: patience.timeoutMs }, () => {
    it('array draws the Mandelbrot set', async () => {
      const document = await documentOf(start('array', '--job', 'mandelbrot', '--tasks', '12'))
      expect(document).toMatchObject({ completed: 12, result: { width: 1200, height: 800 } })
    })

    // Torque's commands, as Slurm has them, do not say why a task has ended: its exit code must do.
    const timedOut = { state: 'timed out', why: 'it was still running at the end of its walltime' }
    it.each([
      { by: 'slurm', args: ['--scheduler', 'slurm'], hung: timedOut },
      { by: 'rest', args: ['--via', 'rest'], hung: timedOut },
      {
        by: 'torque',
        args: ['--scheduler', 'torque'],
        hung: { state: 'failed', why: expect.stringContaining('SIGTERM: by somebody, or at the') },
      },
    ])('failures, by $by, finds four of a hundred, says why, and reruns only those', async (way) => {
      const { by, args, hung } = way
      const document = await toEach(
        { name: 'failures-1', by },
        async (id) => {
          // Slurm's walltimes are whole minutes: an administrator shortens the one of the task that hangs.
          if (id.endsWith('_66')) await asAdministrator('scontrol', 'update', `JobId=${id}`, 'EndTime=now+3')
          return true
        },
        documentOf<{ failures: object[] }>(start('failures', '--retry', ...args)),
      )
      expect(document).toMatchObject({ tasks: 100, completed: 100, resubmitted: 4, submitCommands: 2, primes: 78_498 })
      expect(document.failures).toMatchObject([
        { task: 13, state: 'failed', exitCode: 1, why: 'it threw RangeError: there is no row 13 in the table' },
        { task: 42, state: 'failed', exitCode: 2, why: 'it exited with 2: input of task 42: file not found' },
        { task: 66, ...hung },
        { task: 77, state: 'failed', exitCode: 137, why: expect.stringContaining('SIGKILL') },
      ])
    })

    it.each(['slurm', 'torque'])('checkpoint, by %s, resumes where it was told to stop', async (scheduler) => {
      await using folder = await temporaryFolder()
      const node = await slowNode(folder.path)
      const limits = ['--below', '1000000', '--walltime', '3600', '--warn', '60', '--node', node]
      const document = await toEach(
        { name: 'limited-1', by: scheduler },
        async (id, folder) => {
          // Until the program is there to receive it.
          if (!/begins/.test(await readFile(join(folder, 'limited-1.out'), 'utf8'))) return false
          // The same signal to the same process as Slurm's own, an hour earlier.
          await asAdministrator('scancel', '--batch', '--signal=TERM', id)
          return true
        },
        documentOf<{ lives: { from: number; to: number }[] }>(start('checkpoint', '--scheduler', scheduler, ...limits)),
      )
      expect(document).toMatchObject({ result: longestBelowMillion, equal: true })
      expect(document.lives).toHaveLength(2)
      expect(document.lives[1]?.from).toBe(document.lives[0]?.to)
      expect(document.lives[0]?.to).toBeLessThan(1_000_000)
    })
  })
})

describeReal('rest', needRest, () => {
  it('starts a Slurm of its own, and shows that all ways say the same', async () => {
    const document = await rest.run({})
    expect(document).toMatchObject({ same: true, ways: Array(3).fill({ submissions: 1 }) })
    expect(document.ways[0]?.answers).toEqual(['completed, 0', 'failed, 3', 'failed, 137', 'failed, 127', 'cancelled'])
  })
})

describeReal('the command that starts it', need, () => {
  it('leaves nothing behind at SIGINT, also of jobs that detach themselves', () => theProgramLeavesNothing('SIGINT'))
})
