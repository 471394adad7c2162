/** Every example, as a reader runs it, on a real Slurm and through its Torque commands, behind a real OpenSSH. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startProgram } from '@repo/common/process'
import { runExample, runProgram, until } from '@repo/common/testing'
import { describeReal } from '@repo/common/vitest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../src/connection.ts'
import { findRealCluster, installRealCluster, type RealCluster, startRealCluster } from '../src/real-cluster.ts'

const need = { name: 'Slurm and OpenSSH', found: await findRealCluster(), install: installRealCluster }
const chapter = join(import.meta.dirname, '..')

describeReal('on a real cluster', need, () => {
  let real: RealCluster
  beforeAll(async () => {
    real = await startRealCluster({ cores: 16 })
  })
  afterAll(async () => await real?.[Symbol.asyncDispose]())

  const start = (example: string, ...args: string[]) =>
    runExample(chapter, example, ['--host', real.host, '--ssh-config', real.configFile, '--quick', '--json', ...args])
  async function documentOf<T>(run: ReturnType<typeof start>): Promise<T> {
    const { code, stderr, json } = await run
    expect(code, stderr).toBe(0)
    return json<T>()
  }
  async function asAdministrator(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(program, args, { env: { ...process.env, ...real.slurm.environment } })
    return stdout
  }
  /**
   * Does something to each running job with this name that was submitted by this scheduler's commands, once and until it
   * says that it has, while the work goes on.
   */
  async function toEach<T>(
    { name, scheduler }: { name: string; scheduler: string },
    act: (id: string, folder: string) => Promise<boolean>,
    work: Promise<T>,
  ) {
    const done = new Set<string>()
    async function look() {
      const list = await asAdministrator('squeue', '-h', '-r', '--states=running', `--name=${name}`, '-o', '%i %Z')
      for (const line of list.split('\n').filter(Boolean)) {
        const [id = '', folder = ''] = line.split(' ')
        // The other scheduler's run goes on at the same time, with jobs of the same name; their scripts differ.
        const isOwn =
          (await readFile(join(folder, `${name}.sh`), 'utf8')).includes('#SBATCH') === (scheduler === 'slurm')
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

  describe.concurrent('what takes its time', () => {
    it('array draws the Mandelbrot set', async () => {
      const document = await documentOf(start('array', '--job', 'mandelbrot', '--tasks', '12'))
      expect(document).toMatchObject({ completed: 12, result: { width: 1200, height: 800 } })
    })

    // Torque's commands, as Slurm has them, do not say why a task has ended: its exit code must do.
    it.each([
      { scheduler: 'slurm', hung: { state: 'timed out', why: 'it was still running at the end of its walltime' } },
      {
        scheduler: 'torque',
        hung: { state: 'failed', why: expect.stringContaining('SIGTERM: by somebody, or at the') },
      },
    ])('failures, by $scheduler, finds four of a hundred, says why, and has only them done again', async (way) => {
      const { scheduler, hung } = way
      const document = await toEach(
        { name: 'failures-1', scheduler },
        async (id) => {
          // Slurm's walltimes are whole minutes: an administrator shortens the one of the task that hangs.
          if (id.endsWith('_66')) await asAdministrator('scontrol', 'update', `JobId=${id}`, 'EndTime=now+3')
          return true
        },
        documentOf<{ failures: object[] }>(start('failures', '--retry', '--scheduler', scheduler)),
      )
      expect(document).toMatchObject({ tasks: 100, completed: 100, resubmitted: 4, submitCommands: 2, primes: 78_498 })
      expect(document.failures).toMatchObject([
        { task: 13, state: 'failed', exitCode: 1, why: 'it threw RangeError: there is no row 13 in the table' },
        { task: 42, state: 'failed', exitCode: 2, why: 'it exited with 2: input of task 42: file not found' },
        { task: 66, ...hung },
        { task: 77, state: 'failed', exitCode: 137, why: expect.stringContaining('SIGKILL') },
      ])
    })

    it.each(['slurm', 'torque'])('checkpoint, by %s, goes on where it was told to stop', async (scheduler) => {
      const limits = ['--below', '10000000', '--walltime', '3600', '--warn', '60']
      const document = await toEach(
        { name: 'limited-1', scheduler },
        async (id, folder) => {
          // Until the program is there to hear it.
          if (!/begins/.test(await readFile(join(folder, 'limited-1.out'), 'utf8'))) return false
          // The same signal to the same process as Slurm's own, an hour earlier.
          await asAdministrator('scancel', '--batch', '--signal=TERM', id)
          return true
        },
        documentOf<{ lives: { from: number; to: number }[] }>(start('checkpoint', '--scheduler', scheduler, ...limits)),
      )
      expect(document).toMatchObject({ result: { number: 8_400_511, steps: 685 }, equal: true })
      expect(document.lives).toHaveLength(2)
      expect(document.lives[1]?.from).toBe(document.lives[0]?.to)
      expect(document.lives[0]?.to).toBeLessThan(10_000_000)
    })
  })

  describe.concurrent.each(['slurm', 'torque'])('by the commands of %s', (scheduler) => {
    const with_ = (example: string, ...args: string[]) => start(example, '--scheduler', scheduler, ...args)

    it('array computes what this machine computes, with one submission', async () => {
      const document = await documentOf<{
        scheduler: string
        result: { pairs: number; top: { a: object; b: object }[] }
      }>(with_('array', '--tasks', '25'))
      expect(document).toMatchObject({
        scheduler,
        tasks: 25,
        completed: 25,
        failed: 0,
        resubmitted: 0,
        submitCommands: 1,
      })
      expect(document.result).toMatchObject({ pairs: 27_028 })
      expect(document.result.top[0]).toMatchObject({ a: { year: 1867 }, b: { year: 1868 } })
    })

    it('ranks on both nodes add up to the same as Open MPI', async () => {
      const document = await documentOf<{ nodes: string[] }>(with_('ranks', '--length', '10000'))
      // 4 ranks of (rank + 1) · (i mod 1000): 10 · 10 · 499,500.
      expect(document).toMatchObject({
        scheduler,
        ranks: 4,
        sum: 49_950_000,
        ours: {},
        openMpi: {},
        openMpiDefault: {},
      })
      expect(new Set(document.nodes)).toEqual(new Set(['n1', 'n2']))
    })

    it('submit shows one job from its script to its output', async () => {
      expect(await documentOf(with_('submit'))).toMatchObject({ scheduler, state: 'completed' })
    })

    it('dag runs B and C after A, and D after both', async () => {
      expect(await documentOf(with_('dag'))).toMatchObject({ scheduler })
    })

    it('debug says why a job waits', async () => {
      expect(await documentOf(with_('debug'))).toMatchObject({ scheduler })
    })
  })

  it('leaves nothing in the account, and nothing in the queue', async () => {
    // What has been cancelled takes its time to end.
    await until(async () => (await asAdministrator('squeue', '-h')) === '', { timeoutMs: 60_000 })
    // What begins with a dot is the account's shell's own.
    const files = await readdir(join(real.ssh.folder, 'home'))
    expect(files.filter((name) => !name.startsWith('.'))).toEqual([])
  })
})

describeReal('the command that starts it', need, () => {
  it.each(['SIGINT', 'SIGKILL'] as const)(
    'leaves nothing behind at %s, also of jobs that detach themselves',
    async (name) => {
      await using program = await startProgram<{ host: string; configFile: string }>(
        new URL('../src/real-cluster.program.ts', import.meta.url),
        { args: ['--cores', '2'], readyTimeoutMs: 60_000 },
      )
      const { host, configFile } = program.info
      await using connection = await connect({ host, configFile, reconnectMs: 0 })
      // A time that nobody else sleeps for.
      const seconds = `1000${process.pid}.${name === 'SIGINT' ? 1 : 2}`
      const job = ['sbatch', '--output=/dev/null', `--wrap=setsid sleep ${seconds} & sleep ${seconds}`] as const
      await connection.output(job)
      await until(async () => (await processesOf(seconds)).length >= 2, { timeoutMs: 60_000 })

      program.process.kill(name)
      expect(await program.exited).toEqual(
        name === 'SIGINT' ? { code: 130, signal: null } : { code: null, signal: name },
      )
      await until(async () => (await processesOf(seconds)).length === 0, { timeoutMs: 30_000 })
      await until(async () => (await processesOf(dirname(configFile))).length === 0, { timeoutMs: 30_000 })
      await until(() => !existsSync(dirname(configFile)), { timeoutMs: 30_000 })
    },
  )

  it('refuses a number of cores that is none', async () => {
    const run = await runProgram('src/real-cluster.program.ts', ['--cores', 'many'], { cwd: chapter })
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toBe('error: --cores: received "many"; accepts a whole number from 1 to 1024\n')
  })
})

/** The command lines of processes in which a text stands. */
async function processesOf(text: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'args='])
  return stdout.split('\n').filter((line) => line.includes(text) && !line.includes('--wrap'))
}
