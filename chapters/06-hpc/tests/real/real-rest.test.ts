/** A real Slurm with accounting and REST: the same answers as from its commands, and what goes wrong. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@repo/common/async/until'
import { describeReal } from '@repo/common/testing/vitest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import array from '../../examples/array.ts'
import submit from '../../examples/submit.ts'
import { type Cluster, openCluster } from '../../src/cluster/cluster.ts'
import type { JobDescription, JobStatus, SubmittedJob } from '../../src/scheduler/job.ts'
import { hasEnded } from '../../src/scheduler/job.ts'
import { needRest } from '../fixtures/need-rest.ts'
import { anotherLoginNode, patience, useRealCluster } from '../fixtures/real-cluster.ts'

const ways = ['commands', 'socket', 'token'] as const
type Way = (typeof ways)[number]

describeReal('a real cluster with accounting and REST', needRest, () => {
  const { real, asAdministrator, resultOf } = useRealCluster({ accounting: true, rest: true })
  const clusters = {} as Record<Way, Cluster>
  const viaOf = (way: Way) => ({ commands: 'commands', socket: 'rest', token: real().slurm.rest?.port ?? '' })[way]
  beforeAll(async () => {
    const place = { host: real().host, configFile: real().configFile }
    for (const way of ways) clusters[way] = await openCluster({ ...place, via: viaOf(way) })
  })
  afterAll(async () => {
    for (const cluster of Object.values(clusters)) await cluster[Symbol.asyncDispose]()
  })
  const eachWay = <T>(use: (cluster: Cluster, way: Way) => Promise<T>) =>
    Promise.all(ways.map((way) => use(clusters[way], way)))
  /** Submits a job in a folder of its own. */
  const submitBy = (cluster: Cluster, more: Partial<JobDescription>) =>
    cluster.submit({ name: 'job', command: ['true'], folder: join(cluster.home, folderOf()), ...more })
  let folders = 0
  const folderOf = () => `job-${folders++}`

  /** A login node on which the queue has forgotten all jobs, as it does some minutes after their end. */
  const forgetful = () =>
    anotherLoginNode(real(), {
      squeue: 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1',
      curl: `for each; do
  shift; set -- "$@" "$(echo "$each" | sed 's|/slurm/\\(.*\\)/job/[0-9]*$|/slurm/\\1/job/4000000|')"
done
exec curl "$@"`,
    })

  describe('the same jobs', () => {
    // Task 0 completes. The others fail, each in its own way.
    const command = [
      'sh',
      '-c',
      'case $TASK_ID in 1) exit 3 ;; 2) kill -KILL $$ ;; 3) exec no-such-program ;; 4) exec sleep 600 ;; esac',
    ]
    const expected = [
      { task: 0, state: 'completed', exitCode: 0 },
      { task: 1, state: 'failed', exitCode: 3 },
      { task: 2, state: 'failed', exitCode: 137, signal: '9' },
      { task: 3, state: 'failed', exitCode: 127 },
      { task: 4, state: 'cancelled' },
    ]
    const jobs: SubmittedJob[] = []
    const answerOf = ({ task, state, exitCode, signal }: JobStatus) => ({
      task,
      state,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
    })

    it('have the same states and exit codes by commands, over the socket and with a token', async () => {
      const answers = await eachWay(async (cluster) => {
        const job = await submitBy(cluster, {
          command,
          array: [0, 1, 2, 3, 4],
          resources: { cores: 1, memoryMb: 50, walltimeSeconds: 60 },
        })
        jobs.push(job)
        const poll = async () => await cluster.poll([job])
        await until(async () => (await poll()).filter(({ state }) => hasEnded(state)).length === 4, {
          timeoutMs: 60_000,
        })
        await cluster.cancel(job, [4])
        await until(async () => (await poll()).every(({ state }) => hasEnded(state)), { timeoutMs: 60_000 })
        return (await poll()).map(answerOf)
      })
      expect(answers).toEqual([expected, expected, expected])
    })

    it('are known to accounting when the queue has forgotten them', async () => {
      await using login = await forgetful()
      // In a folder without exit-code files.
      const lost = jobs.map((job) => ({ ...job, folder: login.folder }))
      for (const via of ['commands', 'rest']) {
        await using cluster = await openCluster({ ...login.ssh.options, via })
        // Accounting may lag behind.
        const isKnown = async () => (await cluster.poll(lost)).every(({ state }) => hasEnded(state))
        await until(isKnown, { timeoutMs: 60_000, everyMs: 200 })
        const states = (await cluster.poll(lost)).map(({ task, state }) => ({ task, state }))
        expect(states).toEqual(lost.flatMap(() => expected.map(({ task, state }) => ({ task, state }))))
        // Accounting alone would say 9 of 137, or 0.
        expect((await cluster.poll(jobs)).map(answerOf)).toEqual(jobs.flatMap(() => expected))
      }
    })
  })

  it('tasks that are cancelled before they start are cancelled, although accounting goes on calling them PENDING', async () => {
    await eachWay(async (cluster) => {
      const job = await submitBy(cluster, { hold: true, array: [0, 1, 2] })
      await cluster.cancel(job, [1])
      expect((await cluster.poll([job])).map(({ state }) => state)).toEqual(['held', 'cancelled', 'held'])
      await cluster.cancel(job)
      expect((await cluster.poll([job])).map(({ state }) => state)).toEqual(['cancelled', 'cancelled', 'cancelled'])
    })
  })

  it('a description means the same to both', async () => {
    const resources = { nodes: 2, ranksPerNode: 2, cores: 4, memoryMb: 200, walltimeSeconds: 90 }
    const asked = await eachWay(async (cluster) => {
      const first = await submitBy(cluster, { hold: true, requeue: true, resources })
      const second = await submitBy(cluster, { array: [1, 2, 5], dependencies: [{ on: first.id, when: 'ok' }] })
      const shown = await Promise.all(
        [first, second].map(async ({ id }) => await asAdministrator('scontrol', '--oneliner', 'show', 'job', id)),
      )
      expect(await cluster.queue()).toMatchObject(
        expect.arrayContaining([
          { id: first.id, name: 'job', state: 'held', folder: first.folder },
          { id: second.id, name: 'job', state: 'queued', folder: second.folder },
        ]),
      )
      await cluster.cancel(first)
      // For the other one that is the end as well.
      const isOver = async () => (await cluster.poll([first])).every(({ state }) => state === 'cancelled')
      await until(isOver, { timeoutMs: 60_000 })
      const fields =
        /(?:Requeue|TimeLimit|NumNodes|NumCPUs|NumTasks|CPUs\/Task|MinMemory\w+|TRES|ArrayTaskId|KillOInInvalidDependent)=\S+/g
      return shown.map((text) => text.replaceAll('2-2', '2').match(fields))
    })
    expect(asked[0]?.[0]).toEqual(
      expect.arrayContaining(['Requeue=1', 'TimeLimit=00:02:00', 'NumNodes=2', 'NumCPUs=8', 'NumTasks=4']),
    )
    expect(asked[0]?.[1]).toEqual(expect.arrayContaining(['ArrayTaskId=1-2,5', 'KillOInInvalidDependent=Yes']))
    for (const each of asked) expect(each).toEqual(asked[0])
  })

  it('both refuse a job, in Slurm’s words', async () => {
    await eachWay(async (cluster) => {
      const refused = (more: Partial<JobDescription>) => expect(submitBy(cluster, more)).rejects
      await refused({ queue: 'nosuch' }).toThrow(/^[^\n]*Invalid partition name specified$/)
      await refused({ resources: { cores: 17 } }).toThrow(/^[^\n]*Requested node configuration is not available$/)
    })
  })

  it('both say which nodes there are, and which of them take no jobs', async () => {
    await asAdministrator('scontrol', 'update', 'NodeName=n2', 'State=DRAIN', 'Reason=a new disk')
    const nodes = await eachWay(async (cluster) =>
      (await cluster.nodes()).map(({ detail, ...node }) => ({ ...node, why: /a new disk/.test(detail) })),
    )
    await asAdministrator('scontrol', 'update', 'NodeName=n2', 'State=RESUME')
    const { totalmem: _, ...node } = { totalmem: 0, cores: 16, coresInUse: 0, memoryMb: expect.any(Number) }
    const expected = [
      { ...node, name: 'n1', state: 'free', why: false },
      { ...node, name: 'n2', state: 'down', why: true },
    ]
    expect(nodes).toEqual([expected, expected, expected])
  })

  // Now and then a busy slurmrestd lets a request time out, each after 30 s, and the next one is answered.
  it('the examples run over REST', { timeout: patience.timeoutMs }, async () => {
    expect(await resultOf(submit, { via: 'rest', name: 'over' })).toMatchObject({
      state: 'completed',
      exitCode: 0,
      command: expect.stringMatching(/^curl -sS http:..localhost.slurm.v0.0.38.job.submit /),
    })
    const via = viaOf('token')
    expect(await resultOf(array, { via, tasks: 4 })).toMatchObject({
      completed: 4,
      submitCommands: 1,
      result: { pairs: 27_028 },
    })
  })

  it('other schedulers have no REST, and an address must be one', async () => {
    const open = (scheduler: 'torque' | 'slurm', via: string) =>
      openCluster({ host: real().host, configFile: real().configFile, scheduler, via })
    await expect(open('torque', 'rest')).rejects.toThrow(
      /^--via: received "rest"; accepts commands: Slurm's imitation of Torque has no REST interface$/,
    )
    await using login = await anotherLoginNode(real(), {}, { SLURMRESTD_LISTEN: '' })
    await expect(openCluster({ ...login.ssh.options, via: 'rest' })).rejects.toThrow(
      /accepts the address of slurmrestd, unix:\/PATH or HOST:PORT: .* SLURMRESTD_LISTEN is ""$/,
    )
  })

  describe('faults', () => {
    it('a dead slurmdbd stops no job and no poll, and hears about the jobs once it is back', async () => {
      const { accounting } = real().slurm
      await accounting?.child.kill()
      await expect(asAdministrator('sacct', '-X', '--noheader')).rejects.toThrow(/sacct: error: .*Connection refused/)
      const jobs = await eachWay(async (cluster) => {
        const job = await submitBy(cluster, { command: ['sh', '-c', 'exit 4'] })
        await until(async () => (await cluster.poll([job]))[0]?.exitCode === 4, { timeoutMs: 60_000 })
        return job
      })
      await accounting?.restart()
      const ids = jobs.map(({ id }) => id)
      const fields = ['--parsable2', '--format=JobID,State']
      const accounted = async () => await asAdministrator('sacct', '-X', '--noheader', `--jobs=${ids}`, ...fields)
      const all = ids.toSorted((a, b) => Number(a) - Number(b)).map((id) => `${id}|FAILED\n`)
      await until(async () => (await accounted()) === all.join(''), { timeoutMs: 60_000, everyMs: 200 })

      // Of these jobs it has heard the end, but not the exit code: it says 0.
      await using login = await forgetful()
      for (const via of ['commands', 'rest']) {
        await using cluster = await openCluster({ ...login.ssh.options, via })
        const states = (await cluster.poll(jobs)).map(({ state, exitCode }) => ({ state, exitCode }))
        expect(states).toEqual(jobs.map(() => ({ state: 'failed', exitCode: 4 })))
        const withoutFiles = await cluster.poll(jobs.map((job) => ({ ...job, folder: login.folder })))
        expect(withoutFiles.map(({ state }) => state)).toEqual(jobs.map(() => 'failed'))
      }
    })

    it('a slurmrestd that dies or hangs fails a poll in one line, and a run goes on when it is back', async () => {
      const { rest } = real().slurm
      // The same deadline, but shorter as long as nobody answers.
      const soon = '[ ! -e "$folder/hangs" ] || set -- "$@" --max-time 1'
      await using login = await anotherLoginNode(real(), { curl: `${soon}\nexec curl "$@"` })
      await using cluster = await openCluster({ ...login.ssh.options, via: 'rest' })
      const job = await submitBy(cluster, { command: ['sleep', '1'] })
      const failed = () => expect(cluster.poll([job])).rejects
      rest?.local.child.process.kill('SIGSTOP')
      await writeFile(join(login.folder, 'hangs'), '')
      await failed().toThrow(/^[^\n]* curl: \(28\) Operation timed out [^\n]*$/)
      await rm(join(login.folder, 'hangs'))
      await rest?.local.child.kill()
      await failed().toThrow(/^[^\n]* curl: \(7\) [^\n]*$/)
      await rest?.local.restart()
      await until(async () => (await cluster.poll([job]))[0]?.state === 'completed', { timeoutMs: 60_000 })
    })

    it.each([
      [
        'a page of a proxy',
        'exec echo "<h1>It works!</h1>"',
        {},
        /^[^\n]*: slurmrestd printed "<h1>It works!<\/h1>"; expected Slurm's answer in JSON$/,
      ],
      [
        'a wrong token',
        'exec curl "$@"',
        { SLURM_JWT: 'wrong' },
        /^[^\n]*: slurmrestd printed "Unable to find JobId=1: is Slurm down, or the token wrong\?"; expected [^\n]*$/,
      ],
    ])('%s is said in one line', async (_, curl, environment, message) => {
      await using login = await anotherLoginNode(real(), { curl }, environment)
      await using cluster = await openCluster({ ...login.ssh.options, via: viaOf('token') })
      await expect(cluster.poll([{ id: '1', name: 'job', folder: '/' }])).rejects.toThrow(message)
    })

    it('an answer that got lost is found in the queue', async () => {
      const lost =
        'case $* in */job/submit*) echo once >>"$folder/submitted"; curl "$@" >/dev/null; echo "curl: (52) Empty reply from server" >&2; exit 52 ;; esac; exec curl "$@"'
      await using login = await anotherLoginNode(real(), { curl: lost })
      await using cluster = await openCluster({ ...login.ssh.options, via: 'rest' })
      const job = { hold: true, folder: join(cluster.home, 'lost') }
      const submitted = await submitBy(cluster, job)
      expect(await submitBy(cluster, job)).toEqual(submitted)
      expect(await readFile(join(login.folder, 'submitted'), 'utf8')).toBe('once\n')
      await cluster.cancel(submitted)
    })
  })
})
