/** What goes wrong on a real Slurm behind a real OpenSSH: its nodes, its login node, other people, and our own client. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process'
import { runProgram, until } from '@repo/common/testing'
import { describeReal } from '@repo/common/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, openCluster } from '../src/cluster.ts'
import { startOpenSsh } from '../src/open-ssh.ts'
import { findRealCluster, installRealCluster, type RealCluster, startRealCluster } from '../src/real-cluster.ts'
import { attachRun, createRun, findRun, type Plan, type Run } from '../src/run.ts'
import type { NodeName } from '../src/slurm-cluster.ts'

const need = { name: 'Slurm and OpenSSH', found: await findRealCluster(), install: installRealCluster }
const chapter = join(import.meta.dirname, '..')

describeReal('a real cluster', need, () => {
  let real: RealCluster
  let cluster: Cluster
  beforeAll(async () => {
    real = await startRealCluster({ cores: 8, impatient: true })
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
  /** Until its commands run: for Slurm it runs from the moment it has been given its node. */
  async function hasBegun(run: Run, ...files: string[]) {
    await until(async () => (await run.poll()).every(({ state }) => state === 'running'), { timeoutMs: 60_000 })
    for (const file of files) await until(() => existsSync(join(run.remote, file)), { timeoutMs: 60_000, what: file })
  }
  const deadline = () => AbortSignal.timeout(90_000)

  describe('a node that dies', () => {
    it('has its job begun again, or reports it with its node, as the job asked for', async () => {
      await using folder = await temporaryFolder()
      const sleepOnce = ['sh', '-c', 'mkdir first 2>/dev/null && exec sleep 600; echo again']
      const again = await startRun(join(folder.path, 'a'), { name: 'again', command: sleepOnce, requeue: true })
      const once = await startRun(join(folder.path, 'b'), { name: 'once', requeue: false })
      await hasBegun(again, 'first')
      await hasBegun(once, 'once-1.out')
      await eachNode(async (name) => {
        real.slurm.nodes[name].process.kill('SIGKILL')
        await real.slurm.nodes[name].exited
      })

      const [lost] = await once.follow({ everyMs: 250, signal: deadline() })
      expect(lost).toMatchObject({ state: 'node failed', node: expect.stringMatching(/^n[12]$/) })
      // A node that came back before its silence was noticed could be taken for one that still has the job.
      const bothAreDown = async () => /^(down\S*\n){2}$/.test(await asAdministrator('sinfo', '-h', '-N', '-o', '%T'))
      await until(bothAreDown, { timeoutMs: 60_000, everyMs: 250, what: 'both nodes are given up' })
      await eachNode((name) => real.slurm.startNode(name))
      const [done] = await again.follow({ everyMs: 250, signal: deadline() })
      expect(done).toMatchObject({ state: 'completed', exitCode: 0 })
      expect((await again.lastLines(again.tasks)).get(0)).toBe('again')
    })
  })

  describe('a login node that dies in the middle of a poll', () => {
    it('loses no job and has none submitted twice', async () => {
      await using stack = new AsyncDisposableStack()
      const { path: folder } = stack.use(await temporaryFolder())
      const [programs, waits, polling] = ['programs', 'waits', 'polling'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ]
      const { environment } = real.slurm
      // Another login node of the same cluster, whose squeue can be stopped halfway.
      const PATH = [programs, environment.PATH].join(delimiter)
      const ssh = stack.use(await startOpenSsh({ environment: { ...environment, PATH } }))
      const lines = [
        `if [ -e ${waits} ]; then touch ${polling}; while [ -e ${waits} ]; do sleep 0.05; done; fi`,
        `PATH='${environment.PATH}' exec squeue "$@"`,
      ]
      await mkdir(programs)
      await writeFile(join(programs, 'squeue'), `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o755 })
      const changes: string[] = []
      const own = stack.use(
        await openCluster({ ...ssh.options, scheduler: 'slurm', onChange: (change) => void changes.push(change) }),
      )

      const sleeps = { name: 'through', command: ['sleep', '3'], array: [0, 1, 2] }
      const run = await createRun(join(folder, 'run'), own, sleeps, { host: real.host })
      await run.start()
      const following = run.follow({ everyMs: 20, signal: deadline() })
      await writeFile(waits, '')
      await until(() => existsSync(polling), { timeoutMs: 60_000 })
      await ssh.kill()
      await rm(waits)
      await ssh.restart()

      expect((await following).map(({ state }) => state)).toEqual(['completed', 'completed', 'completed'])
      expect(changes).toEqual(['lost', 'connected again'])
      expect(own.commands.submit).toBe(1)
      expect(run.ids).toHaveLength(1)
    })
  })

  describe('somebody else', () => {
    it('who cancels a job, or one task of an array, is reported', async () => {
      await using folder = await temporaryFolder()
      const run = await startRun(folder.path, { name: 'theirs', array: [4, 5] })
      await hasBegun(run, 'theirs-1.4.out', 'theirs-1.5.out')
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
      const [job] = [{ id: '4000000', name: 'forgotten-1', folder: run.remote, array: [0, 9] }]
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
