/** Every dialect on the practice cluster: jobs run and end as they should, and faults are switched on. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import type { PracticeCluster } from '@repo/practice-cluster/cluster'
import { schedulerNames } from '@repo/practice-cluster/notation'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Cluster, type ClusterOptions, openCluster } from '../../src/cluster/cluster.ts'
import { hasEnded, type JobDescription, type JobStatus, type SubmittedJob } from '../../src/scheduler/job.ts'
import type { TransferProgress } from '../../src/ssh/transfer.ts'

const windows = process.platform === 'win32'
let jobNumber = 0

/** A cluster with its practice, and jobs with little to write. */
async function open(options: ClusterOptions = {}) {
  const cluster = await openCluster({ patienceMs: 20_000, ...options, practice: { slots: 2, ...options.practice } })
  const practice = cluster.practice as PracticeCluster
  const submit = (job: Partial<JobDescription>) =>
    cluster.submit({ name: `job${jobNumber++}`, command: ['true'], folder: join(cluster.home, 'run'), ...job })
  const follow = async (job: SubmittedJob, reached: (statuses: JobStatus[]) => boolean) => {
    let statuses: JobStatus[] = []
    const look = async () => {
      statuses = await cluster.poll([job])
      return reached(statuses)
    }
    await until(look, { timeoutMs: 60_000, everyMs: 50, what: 'the state of a job' })
    return statuses
  }
  const ended = (job: SubmittedJob) => follow(job, (statuses) => statuses.every(({ state }) => hasEnded(state)))
  const running = (job: SubmittedJob) => follow(job, (statuses) => statuses.every(({ state }) => state === 'running'))
  return { cluster, practice, submit, ended, running, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() }
}
type Opened = Awaited<ReturnType<typeof open>>

// The four run at the same time; the tests of one share its cluster, and run one after the other.
describe.skipIf(windows).concurrent.each(schedulerNames)('%s', (scheduler) => {
  const step = (name: string, run: () => Promise<void>) => it(name, { concurrent: false }, run)
  let opened: Opened
  let cluster: Cluster
  beforeAll(async () => {
    opened = await open({ scheduler, practice: { killWaitMs: 300 } })
    cluster = opened.cluster
  })
  afterAll(() => opened[Symbol.asyncDispose]())

  step('is detected, runs an array of any task numbers, and says how each ended', async () => {
    expect(cluster.dialect.name).toBe(scheduler)
    const array = [1, 2, 3, 7, 11]
    const job = await opened.submit({ command: ['sh', '-c', 'echo "task $TASK_ID"; exit $((TASK_ID % 3))'], array })
    const statuses = await opened.ended(job)
    expect(statuses.map(({ task, state, exitCode }) => [task, state, exitCode])).toEqual(
      array.map((task) => [task, task % 3 === 0 ? 'completed' : 'failed', task % 3]),
    )
    expect(await readFile(join(job.folder, `${job.name}.11.out`), 'utf8')).toBe('task 11\n')
  })

  step('holds and releases', async () => {
    const job = await opened.submit({ hold: true })
    expect(await cluster.poll([job])).toMatchObject([{ state: 'held' }])
    expect(await cluster.why(job)).toMatch(/held|hold/i)
    await cluster.release(job)
    expect(await opened.ended(job)).toMatchObject([{ state: 'completed', exitCode: 0 }])
  })

  step('cancels a job, and single tasks of an array', async () => {
    const job = await opened.submit({ command: ['sleep', '60'], array: [0, 4] })
    await opened.running(job)
    await cluster.cancel(job, [4])
    await until(async () => (await cluster.poll([job]))[1]?.state === 'cancelled')
    expect((await cluster.poll([job]))[0]?.state).toBe('running')
    await cluster.cancel(job)
    expect((await opened.ended(job)).map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
  })

  step('ends a job at its walltime, even one that ignores SIGTERM', async () => {
    const command = ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done']
    const job = await opened.submit({ command, resources: { walltimeSeconds: 1 } })
    expect(await opened.ended(job)).toMatchObject([{ state: 'timed out' }])
  })

  step('loses a node: one job is restarted, the other has failed', async () => {
    const command = ['sh', '-c', 'while [ ! -e "go" ]; do sleep 0.1; done']
    const resources = { cores: 1 }
    const again = await opened.submit({ command, resources, requeue: true })
    const lost = await opened.submit({ command, resources, requeue: false })
    const [[first], [second]] = [await opened.running(again), await opened.running(lost)]
    expect(first?.node).toBe(second?.node)
    opened.practice.failNode(first?.node ?? '')
    expect(await opened.ended(lost)).toMatchObject([{ state: 'node failed' }])
    const other = first?.node === 'n1' ? 'n2' : 'n1'
    const isElsewhere = async () => (await opened.running(again))[0]?.node === other
    await until(isElsewhere, { timeoutMs: 60_000 })
    if (scheduler !== 'htcondor')
      expect(await cluster.nodes()).toContainEqual(expect.objectContaining({ name: first?.node, state: 'down' }))
    opened.practice.restoreNode(first?.node ?? '')
    await cluster.connection.writeFile(join(again.folder, 'go'), '')
    expect(await opened.ended(again)).toMatchObject([{ state: 'completed' }])
  })

  step('ends a job that uses more memory than it asked for', async () => {
    const command = [process.execPath, '-e', 'globalThis.all = Buffer.alloc(150e6, 1); setInterval(() => {}, 1000)']
    const job = await opened.submit({ command, resources: { memoryMb: 100 } })
    expect(await opened.ended(job)).toMatchObject([{ state: 'out of memory' }])
    await cluster.cancel(job).catch(() => {})
  })

  step('shows an end late, but never a wrong state, while its accounting is slow', async () => {
    const job = await opened.submit({})
    opened.practice.faults.slowAccountingMs = 60_000
    expect(await opened.ended(job)).toMatchObject([{ state: 'completed', exitCode: 0 }])
    opened.practice.faults.slowAccountingMs = 0
  })

  step('prints garbage: the error names the host, the command and the output', async () => {
    const job = await opened.submit({})
    await opened.ended(job)
    opened.practice.faults.garbled = 1
    const poll = cluster.poll([job])
    await expect(poll).rejects.toThrow(/^the practice cluster: \w+ printed ".*"; expected /)
    expect((await cluster.poll([job]))[0]?.state).toBe('completed')
  })

  step('is cut off in the middle: nothing is lost, and nothing is submitted twice', async () => {
    const before = opened.practice.queue.jobs.size
    const submission = opened.submit({ name: 'once' })
    await until(() => opened.practice.queue.jobs.size > before)
    opened.practice.cutConnections()
    const job = await submission
    opened.practice.cutConnections()
    expect(await opened.ended(job)).toMatchObject([{ state: 'completed' }])
    expect(await opened.submit({ name: 'once' })).toEqual(job)
    expect(opened.practice.queue.jobs.size).toBe(before + 1)
  })

  step('lists the jobs of the user with their names and folders, an array as one', async () => {
    const job = await opened.submit({ hold: true, array: [0, 1] })
    const listed = (await cluster.queue()).filter(({ id }) => id === job.id)
    expect(listed).toMatchObject([{ name: job.name, state: 'held', folder: job.folder }])
    await cluster.cancel(job)
  })

  step('is asked for the job when its answer to a submission was lost, before submitting again', async () => {
    const folder = join(cluster.home, 'lost')
    const job = await opened.submit({ name: 'lost', hold: true, folder })
    const before = opened.practice.queue.jobs.size
    // As if the login node had died while the scheduler answered.
    await rm(join(folder, '.lost.submitted'))
    const again = cluster.submit({ name: 'lost', command: ['true'], hold: true, folder })
    expect(await again).toEqual(job)
    expect(opened.practice.queue.jobs.size).toBe(before)
    // From then on the answer is there.
    expect(await cluster.submit({ name: 'lost', command: ['true'], hold: true, folder })).toEqual(job)
    await cluster.cancel(job)
  })

  step('refuses an unknown queue and resources that no node has, in its own words', async () => {
    if (scheduler === 'htcondor') {
      // There such a job waits for a machine that may still be added.
      const job = await opened.submit({ resources: { cores: 99 } })
      expect(await cluster.why(job)).toContain("No machines matched the jobs's constraints")
      return
    }
    const said = {
      slurm: ['invalid partition specified: nosuch', 'Requested node configuration is not available'],
      pbs: ['Unknown queue', 'violates queue and/or server resource limits'],
      torque: ['Unknown queue', 'exceeds queue resource limits'],
    }[scheduler]
    await expect(opened.submit({ queue: 'nosuch' })).rejects.toThrow(
      `the practice cluster: ${scheduler === 'slurm' ? 'sbatch' : 'qsub'}`,
    )
    await expect(opened.submit({ queue: 'nosuch' })).rejects.toThrow(said[0])
    await expect(opened.submit({ resources: { cores: 99 } })).rejects.toThrow(said[1])
  })

  step('starts a job after others: ok, not ok, any', async () => {
    if (scheduler === 'htcondor') return
    const bad = await opened.submit({ command: ['false'], hold: true })
    const on = bad.id
    const ok = await opened.submit({ dependencies: [{ on, when: 'ok' }] })
    const notOk = await opened.submit({ dependencies: [{ on, when: 'not ok' }] })
    const any = await opened.submit({ dependencies: [{ on, when: 'any' }] })
    expect(await cluster.poll([ok, notOk, any])).toMatchObject([
      { state: 'queued' },
      { state: 'queued' },
      { state: 'queued' },
    ])
    expect(await cluster.why(ok)).toMatch(/depend/i)
    await cluster.release(bad)
    expect(await opened.ended(ok)).toMatchObject([{ state: 'cancelled' }])
    expect(await opened.ended(notOk)).toMatchObject([{ state: 'completed' }])
    expect(await opened.ended(any)).toMatchObject([{ state: 'completed' }])
  })
})

describe.skipIf(windows)('a practice cluster', () => {
  it('polls a thousand tasks with one command', async () => {
    await using opened = await open({ practice: { slots: 64, nodes: 2 } })
    const job = await opened.submit({ hold: true, array: Array.from({ length: 1000 }, (_, task) => task) })
    const statuses = await opened.cluster.poll([job])
    expect(statuses).toHaveLength(1000)
    expect(new Set(statuses.map(({ state }) => state))).toEqual(new Set(['held']))
    expect(opened.cluster.commands).toEqual({ submit: 1, poll: 1 })
  })

  it('needs no OpenSSH on this machine', async () => {
    await using folder = await temporaryFolder()
    const proof = join(folder.path, 'proof')
    for (const name of ['ssh', 'ssh-keygen']) {
      await writeFile(join(folder.path, name), `#!/bin/sh\ntouch ${proof}\nexit 1\n`, { mode: 0o755 })
    }
    vi.stubEnv('PATH', `${folder.path}:${process.env.PATH}`)
    await using opened = await open()
    vi.unstubAllEnvs()
    expect(await opened.ended(await opened.submit({}))).toMatchObject([{ state: 'completed' }])
    await expect(stat(proof)).rejects.toThrow('ENOENT')
  })

  it('without a scheduler: the error says which programs were looked for', async () => {
    await expect(openCluster({ practice: { schedulers: [] } })).rejects.toThrow(
      /^--host: .* no scheduler found: on the practice cluster there is no sbatch, qsub or condor_submit$/,
    )
    await expect(openCluster({ scheduler: 'pbs', practice: { schedulers: ['slurm'] } })).rejects.toThrow(
      /^--scheduler: received "pbs"; accepts what the host has: on the practice cluster there is sbatch/,
    )
  })

  it('has Slurm without accounting, too', async () => {
    await using opened = await open({ practice: { accounting: false, schedulers: ['slurm'] } })
    expect(opened.cluster.dialect.title).toBe('Slurm, without accounting')
    const job = await opened.submit({ command: ['sh', '-c', 'kill -9 $$'] })
    expect(await opened.ended(job)).toMatchObject([{ state: 'failed', exitCode: 137, signal: '9' }])
  })

  it('has PBS without a job history, too: the exit-code files say how jobs ended', async () => {
    await using opened = await open({ practice: { accounting: false, schedulers: ['pbs'] } })
    const job = await opened.submit({ command: ['sh', '-c', 'exit $TASK_ID'], array: [0, 3] })
    expect(await opened.ended(job)).toMatchObject([
      { task: 0, state: 'completed', exitCode: 0 },
      { task: 3, state: 'failed', exitCode: 3 },
    ])
    expect(await opened.cluster.queue()).toEqual([])
  })

  it('may have an account whose start-up files print: nothing of that is taken for an answer', async () => {
    await using opened = await open({ practice: { schedulers: ['slurm'] } })
    const { practice, cluster } = opened
    // What an account's .bashrc would do, before every command that it is given.
    await writeFile(join(practice.home, 'greeting'), 'echo 42; echo "found 7"; echo "1 RUNNING"\n')
    const { connection } = cluster
    const { run } = connection
    connection.run = (command, options) =>
      run(['sh', '-c', 'sh "$HOME/greeting"; exec "$@"', 'sh', ...command], options)
    const job = await opened.submit({ command: ['true'] })
    expect(job.id).toBe('1')
    expect(await opened.ended(job)).toMatchObject([{ id: '1', state: 'completed' }])
  })

  it('may lose its connection after each half megabyte: files arrive without a hole, and nothing is sent twice', async () => {
    await using opened = await open({ practice: { schedulers: ['slurm'] } })
    await using folder = await temporaryFolder()
    const { connection, home } = opened.cluster
    const [from, back] = ['from', 'back'].map((name) => join(folder.path, name)) as [string, string]
    await mkdir(from)
    const content = randomBytes(4 << 20)
    await writeFile(join(from, 'large'), content)
    for (const copy of [
      (onProgress: (progress: TransferProgress) => void) =>
        connection.upload(from, join(home, 'there'), { onProgress }),
      (onProgress: (progress: TransferProgress) => void) =>
        connection.download(join(home, 'there'), back, { onProgress }),
    ]) {
      let cutAt = 1 << 19
      const { bytes } = await copy((progress) => {
        if (progress.bytes < cutAt) return
        cutAt = progress.bytes + (1 << 19)
        opened.practice.cutConnections()
      })
      expect(bytes).toBeLessThanOrEqual(content.length)
    }
    expect((await readFile(join(back, 'large'))).equals(content)).toBe(true)
  })

  it('has a quota: exceeding it is an error that says so, and leaves no half file', async () => {
    await using opened = await open({ practice: { faults: { quotaBytes: 100_000 } } })
    const { connection, home } = opened.cluster
    await expect(connection.writeFile(join(home, 'large'), Buffer.alloc(200_000))).rejects.toThrow(/quota/)
    await expect(stat(join(home, 'large'))).rejects.toThrow('ENOENT')
  })
})
