/**
 * What goes wrong on a real Slurm behind a real OpenSSH: its nodes, its login node, other people, and our own client.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, openCluster } from '../../src/cluster/cluster.ts'
import { attachRun, createRun, findRun, type Plan, type Run } from '../../src/cluster/run.ts'
import { findRealCluster, installRealCluster, type RealCluster, startRealCluster } from '../../src/real/cluster.ts'
import type { NodeName } from '../../src/real/slurm.ts'
import { isFollowedByAnotherClient } from '../fixtures/killed-client.ts'
import { anotherLoginNode } from '../fixtures/real-cluster.ts'

const need = { name: 'Slurm and OpenSSH', found: await findRealCluster(), install: installRealCluster }

describeReal('a real cluster', need, () => {
  let real: RealCluster
  let cluster: Cluster
  let torque: Cluster
  beforeAll(async () => {
    real = await startRealCluster({ cores: 8 })
    const place = { host: real.host, configFile: real.configFile }
    cluster = await openCluster(place)
    torque = await openCluster({ ...place, scheduler: 'torque' })
  })
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
    await torque?.[Symbol.asyncDispose]()
    await real?.[Symbol.asyncDispose]()
  })

  /** A command as a cluster's administrator types it. */
  async function asAdministrator({ slurm }: RealCluster, program: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(program, args, { env: { ...process.env, ...slurm.environment } })
    return stdout
  }
  async function startRun(folder: string, plan: Partial<Plan>, by = cluster): Promise<Run> {
    const run = await createRun(by, { name: 'job', command: ['sleep', '600'], ...plan }, { folder })
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

  const loginNode = (programs: Record<string, string>) => anotherLoginNode(real, programs)

  it('tasks that are cancelled before they start are cancelled, although Slurm no longer lists them', async () => {
    const folder = join(real.slurm.folder, 'cancelled')
    const job = await cluster.submit({ name: 'job', command: ['true'], folder, hold: true, array: [0, 1, 2] })
    await cluster.cancel(job, [1])
    expect((await cluster.poll([job])).map(({ state }) => state)).toEqual(['held', 'cancelled', 'held'])
    await cluster.cancel(job)
  })

  describe('a node that dies', () => {
    it('has its job restarted or reported, as the job asked', async () => {
      await using stack = new AsyncDisposableStack()
      const folder = stack.use(await temporaryFolder())
      // Of its own: on a busy machine it gives up on healthy nodes as well.
      const impatient = stack.use(await startRealCluster({ cores: 8, impatient: true }))
      const place = { host: impatient.host, configFile: impatient.configFile }
      const slurm = stack.use(await openCluster(place))
      const torque = stack.use(await openCluster({ ...place, scheduler: 'torque', patienceMs: 5_000 }))
      const sleepOnce = ['sh', '-c', 'mkdir first 2>/dev/null && exec sleep 600; echo again']
      const runs = await Promise.all(
        [slurm, torque].map(async (by) => {
          const own = join(folder.path, by.dialect.name)
          const again = await startRun(join(own, 'a'), { name: 'again', command: sleepOnce, requeue: true }, by)
          const once = await startRun(join(own, 'b'), { name: 'once', requeue: false }, by)
          await hasBegun(again, 'first')
          await hasBegun(once, 'once-1.out')
          return { again, once }
        }),
      )
      await eachNode(async (name) => {
        await impatient.slurm.nodes[name].kill()
      })

      const lost = await Promise.all(runs.map(({ once }) => once.follow({ everyMs: 250, signal: deadline() })))
      // A node that came back before its silence was noticed could be taken for one that still has the job.
      const bothAreDown = async () =>
        /^(down\S*\n){2}$/.test(await asAdministrator(impatient, 'sinfo', '-h', '-N', '-o', '%T'))
      await until(bothAreDown, { timeoutMs: 60_000, everyMs: 250, what: 'both nodes are given up' })
      await eachNode((name) => impatient.slurm.startNode(name))
      expect(lost).toMatchObject([
        [{ state: 'node failed', node: expect.stringMatching(/^n[12]$/) }],
        // Its qstat says only that the job has gone.
        [
          {
            state: 'failed',
            reason: expect.stringContaining('does not say how it ended, and it has left no exit code'),
          },
        ],
      ])
      for (const { again } of runs) {
        const [done] = await again.follow({ everyMs: 250, signal: deadline() })
        expect(done).toMatchObject({ state: 'completed', exitCode: 0 })
        expect((await again.lastLines(again.tasks)).get(0)).toBe('again')
      }
    })
  })

  describe.concurrent.each([
    { scheduler: 'slurm', list: 'squeue', submit: 'sbatch' },
    { scheduler: 'torque', list: 'qstat', submit: 'qsub' },
  ] as const)('a login node with the commands of $scheduler', ({ scheduler, list, submit }) => {
    it('that dies in the middle of a poll loses no job, and none is submitted twice', async () => {
      await using stack = new AsyncDisposableStack()
      const stopped = `if [ -e "$folder/waits" ]; then touch "$folder/polling"; while [ -e "$folder/waits" ]; do sleep 0.05; done; fi`
      const { folder, ssh } = stack.use(await loginNode({ [list]: `${stopped}\nexec ${list} "$@"` }))
      const changes: string[] = []
      const onChange = (change: string) => void changes.push(change)
      const own = stack.use(await openCluster({ ...ssh.options, scheduler, onChange }))
      // So that none ends before a poll has been caught in the middle.
      const command = ['sh', '-c', 'until [ -e go ]; do sleep 0.1; done']
      const run = await createRun(own, { name: 'through', command, array: [0, 1, 2] }, { folder: join(folder, 'run') })
      await run.start()
      const following = run.follow({ everyMs: 20, signal: deadline() })
      await writeFile(join(folder, 'waits'), '')
      await until(() => existsSync(join(folder, 'polling')), { timeoutMs: 60_000 })
      await ssh.kill()
      await rm(join(folder, 'waits'))
      await ssh.restart()
      await writeFile(join(run.remote, 'go'), '')

      expect((await following).map(({ state }) => state)).toEqual(['completed', 'completed', 'completed'])
      expect(changes).toEqual(['lost', 'connected again'])
      expect(own.commands.submit).toBe(1)
      expect(run.ids).toHaveLength(1)
    })

    it('whose submission timed out but was accepted finds the job in the queue', async () => {
      await using stack = new AsyncDisposableStack()
      const lost = 'echo "Socket timed out on send/recv operation" >&2; exit 1'
      const script = `echo once >>"$folder/submitted"; ${submit} "$@" >/dev/null; ${lost}`
      const { folder, ssh } = stack.use(await loginNode({ [submit]: script }))
      const own = stack.use(await openCluster({ ...ssh.options, scheduler }))
      const job = { name: 'taken', command: ['true'], array: [3, 4], hold: true, folder: join(own.home, 'taken') }
      const submitted = await own.submit(job)
      expect(await own.submit(job)).toEqual(submitted)
      expect(await readFile(join(folder, 'submitted'), 'utf8')).toBe('once\n')
      expect((await own.queue()).filter(({ id }) => id === submitted.id)).toMatchObject([{ folder: job.folder }])
      expect(await own.why(submitted)).toContain('JobHeldUser')
      await own.cancel(submitted)
    })
  })

  describe.concurrent('somebody else', () => {
    it.each(['slurm', 'torque'])('who cancels a job of %s, or one task of an array, is reported', async (scheduler) => {
      await using folder = await temporaryFolder()
      const by = scheduler === 'slurm' ? cluster : torque
      const run = await startRun(folder.path, { name: 'theirs', array: [4, 5] }, by)
      await hasBegun(run, 'theirs-1.4.out', 'theirs-1.5.out')
      // Torque's commands, as Slurm has them, know that it has gone; that SIGTERM ended it says its exit code.
      const gone = scheduler === 'slurm' ? { state: 'cancelled' } : { state: 'failed', signal: '15' }
      const [first, second] = [4, 5].map((number) => () => run.tasks.find(({ task }) => task === number))
      await asAdministrator(real, 'scancel', `${run.ids[0]}_5`)
      const isGone = async () => (await run.poll()) && second?.()?.state === gone.state
      await until(isGone, { timeoutMs: 60_000 })
      expect(second?.()).toMatchObject(gone)
      expect(first?.()?.state).toBe('running')
      await asAdministrator(real, 'scancel', String(run.ids[0]))
      await run.follow({ everyMs: 100, signal: deadline() })
      expect(run.tasks).toMatchObject([gone, gone])
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
    // The other moments have a longer test.
    const points = ['before the submission', 'after the submission']
    const isFollowed = (point: string) => isFollowedByAnotherClient(real, point)
    const left = '%s leaves a run that another client finishes, with each task run once'
    it.concurrent.each(points)(left, isFollowed)
    // The controller then hangs for everybody.
    it.each(['during the submission'])(left, isFollowed)
  })

  it('is not bothered by a damaged run, or by a folder without one', async () => {
    await using folder = await temporaryFolder()
    await expect(findRun(join(folder.path, 'nowhere'))).rejects.toThrow('there is no run in')
    await expect(attachRun(folder.path, cluster)).rejects.toThrow('there is no run in')
  })
})
