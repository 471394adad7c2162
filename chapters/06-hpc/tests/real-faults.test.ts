/** What goes wrong on a real Slurm behind a real OpenSSH: its nodes, its login node, other people, and our own client. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process'
import { runProgram, until } from '@repo/common/testing'
import { describeReal } from '@repo/common/vitest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, openCluster } from '../src/cluster.ts'
import { findRealCluster, installRealCluster, type RealCluster, startRealCluster } from '../src/real-cluster.ts'
import { attachRun, createRun, findRun, type Plan, type Run } from '../src/run.ts'
import type { NodeName } from '../src/slurm-cluster.ts'

const need = { name: 'Slurm and OpenSSH', found: await findRealCluster(), install: installRealCluster }
const chapter = join(import.meta.dirname, '..')

describeReal('a real cluster', need, () => {
  let real: RealCluster
  let cluster: Cluster
  beforeAll(async () => {
    real = await startRealCluster({ cores: 8 })
    cluster = await openCluster({ host: real.host, configFile: real.configFile })
  })
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
    await real?.[Symbol.asyncDispose]()
  })

  /** A command as its administrator types it. */
  async function asAdministrator(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(program, args, {
      env: { ...process.env, ...real.slurm.environment },
    })
    return stdout
  }
  async function startRun(folder: string, plan: Partial<Plan>): Promise<Run> {
    const run = await createRun(
      folder,
      cluster,
      { name: 'job', command: ['sleep', '600'], ...plan },
      { host: real.host },
    )
    await run.start()
    return run
  }
  const eachNode = (what: (name: NodeName) => Promise<void>) => Promise.all((['n1', 'n2'] as const).map(what))
  const isRunning = (run: Run) =>
    until(async () => (await run.poll()).every(({ state }) => state === 'running'), { timeoutMs: 40_000 })

  describe('a node that dies', () => {
    it('has its job begun again, or reports it with its node, as the job asked for', async () => {
      await using folder = await temporaryFolder()
      const sleepOnce = ['sh', '-c', 'mkdir first 2>/dev/null && exec sleep 600; echo again']
      const again = await startRun(join(folder.path, 'a'), { name: 'again', command: sleepOnce, requeue: true })
      const once = await startRun(join(folder.path, 'b'), { name: 'once', requeue: false })
      await isRunning(again)
      await isRunning(once)
      await eachNode(async (name) => {
        real.slurm.nodes[name].process.kill('SIGKILL')
        await real.slurm.nodes[name].exited
      })

      const [lost] = await once.follow({ everyMs: 250 })
      expect(lost).toMatchObject({ state: 'node failed', node: expect.stringMatching(/^n[12]$/) })
      // A node that came back before its silence was noticed could be taken for one that still has the job.
      const bothAreDown = async () => !/idle|alloc|mix/.test(await asAdministrator('sinfo', '-h', '-N', '-o', '%T'))
      await until(bothAreDown, { timeoutMs: 60_000, everyMs: 250, what: 'both nodes are given up' })
      await eachNode((name) => real.slurm.startNode(name))
      const [done] = await again.follow({ everyMs: 250 })
      expect(done).toMatchObject({ state: 'completed', exitCode: 0 })
      expect((await again.lastLines(again.tasks)).get(0)).toBe('again')
    })
  })

  describe('a login node that dies in the middle of a poll', () => {
    it('loses no job and has none submitted twice', async () => {
      await using folder = await temporaryFolder()
      const run = await startRun(folder.path, { name: 'through', command: ['sleep', '3'], array: [0, 1, 2] })
      const following = run.follow({ everyMs: 20 })
      await until(() => run.tasks.some(({ state }) => state === 'running'), { timeoutMs: 40_000 })
      await real.ssh.kill()
      await real.ssh.restart()

      expect((await following).map(({ state }) => state)).toEqual(['completed', 'completed', 'completed'])
      expect(cluster.commands.submit).toBeGreaterThan(0)
      expect(run.ids).toHaveLength(1)
    })
  })

  describe('somebody else', () => {
    it('who cancels a job, or one task of an array, is reported', async () => {
      await using folder = await temporaryFolder()
      const run = await startRun(folder.path, { name: 'theirs', array: [4, 5] })
      await isRunning(run)
      await asAdministrator('scancel', `${run.ids[0]}_5`)
      await until(async () => (await run.poll()).find(({ task }) => task === 5)?.state === 'cancelled', {
        timeoutMs: 20_000,
      })
      expect(run.tasks.find(({ task }) => task === 4)?.state).toBe('running')
      await asAdministrator('scancel', String(run.ids[0]))
      await run.follow({ everyMs: 100 })
      expect(run.tasks.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
    })

    it('who kills a task leaves an exit code that names the signal', async () => {
      await using folder = await temporaryFolder()
      const run = await startRun(folder.path, { name: 'killed', command: ['sh', '-c', 'kill -KILL $$'] })
      const [job] = await run.follow({ everyMs: 100 })
      expect(job).toMatchObject({ state: 'failed', exitCode: 137 })
    })
  })

  describe('a job that left the queue long ago', () => {
    it('is judged by its exit-code file, and without one it has failed', async () => {
      await using folder = await temporaryFolder()
      await using impatient = await openCluster({ host: real.host, configFile: real.configFile, patienceMs: 1 })
      const run = await startRun(folder.path, { name: 'forgotten', command: ['sh', '-c', 'exit 3'], array: [0, 1] })
      await run.follow({ everyMs: 100 })
      // As a client that comes back when Slurm no longer knows the job (MinJobAge): an id that it has never had.
      const [job] = [
        { id: '4000000', name: 'forgotten-1', folder: remoteOf(await manifestOf(folder.path)), array: [0, 9] },
      ]
      const ask = () => impatient.poll([job])
      await ask()
      await until(async () => (await ask())[1]?.state === 'failed')
      expect(await ask()).toMatchObject([
        { task: 0, state: 'failed', exitCode: 3 },
        { task: 9, state: 'failed', reason: expect.stringContaining('no exit code') },
      ])
    })
  })

  describe('a client that is killed', () => {
    const points = [
      'before the upload',
      'after the upload',
      'before the submission',
      'during the submission',
      'after the submission',
      'after a poll',
    ]
    it.each(points)('%s leaves a run that another one ends, each task run once', async (point) => {
      await using folder = await temporaryFolder()
      const run = join(folder.path, 'run')
      const client = (at: string) =>
        runProgram('tests/fixtures/run-client.program.ts', [run, real.host, real.configFile, at], { cwd: chapter })
      // A controller that hangs keeps sbatch waiting for its answer.
      const hangs = point === 'during the submission'
      if (hangs) real.slurm.controller.process.kill('SIGSTOP')
      const killed = await client(point).finally(() => real.slurm.controller.process.kill('SIGCONT'))
      expect(killed).toMatchObject({ code: null, signal: 'SIGKILL' })
      expect((await findRun(run)).host).toBe(real.host)

      const second = await client('never')
      expect(second.stderr).toBe('')
      const { ids, tasks, results } = second.json<{ ids: string[]; tasks: { state: string }[]; results: string }>()
      expect(tasks.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed'])
      expect(ids).toHaveLength(1)
      for (const task of [0, 1, 2]) {
        expect((await readFile(join(results, `ran.${task}`), 'utf8')).trim().split('\n')).toHaveLength(1)
      }
    })
  })

  it('is not bothered by a run that is damaged, or that is none', async () => {
    await using folder = await temporaryFolder()
    await expect(findRun(join(folder.path, 'nowhere'))).rejects.toThrow('there is no run in')
    await expect(attachRun(folder.path, cluster)).rejects.toThrow('there is no run in')
  })
})

async function manifestOf(folder: string): Promise<string> {
  const texts = await Promise.all(
    ['run.a', 'run.b'].map((name) => readFile(join(folder, name), 'utf8').catch(() => '')),
  )
  return texts.join('\n')
}

function remoteOf(manifest: string): string {
  return /"remote":"([^"]+)"/.exec(manifest)?.[1] ?? ''
}
