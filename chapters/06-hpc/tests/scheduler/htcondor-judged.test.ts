/**
 * What we write for HTCondor and read from it, judged by HTCondor's own parsers: descriptions, expressions, graphs, lists
 * and event logs, our own and those of the practice cluster.
 */
import { join } from 'node:path'
import { until } from '@repo/common/async/until'
import { describeReal } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { dagFile, htcondor, pollDag } from '../../src/scheduler/htcondor.ts'
import { checkJob, type JobDescription, type JobState } from '../../src/scheduler/job.ts'
import { open, windows } from '../fixtures/dialects-on-cluster.ts'
import {
  type Attributes,
  findHtcondorJudge,
  type JobAd,
  type Judge,
  startHtcondorJudge,
  timeZone,
} from '../fixtures/htcondor-judge.ts'
import { hostileArgument } from '../hostile.ts'

const found = await findHtcondorJudge()
const need = { name: "HTCondor's parsers", found, install: 'npm run htcondor' }
const dialect = htcondor()

const name = fc.oneof(fc.stringMatching(/^[A-Za-z][\w.-]{0,20}$/), fc.constantFrom('queue', 'undefined', 'true', 'x.'))
const description: fc.Arbitrary<JobDescription> = fc.record(
  {
    name,
    command: fc.array(hostileArgument, { minLength: 1, maxLength: 3 }).filter(([first]) => Boolean(first)),
    folder: fc.constant('/home/you/run'),
    resources: fc.record(
      {
        cores: fc.integer({ min: 1, max: 5_000 }),
        memoryMb: fc.integer({ min: 1, max: 4_000_000 }),
        nodes: fc.integer({ min: 1, max: 9 }),
        walltimeSeconds: fc.integer({ min: 1, max: 10_000_000 }),
        gpus: fc.integer({ min: 1, max: 8 }),
      },
      { requiredKeys: [] },
    ),
    inputs: fc.array(
      fc.stringMatching(/^[\w.@+-]{1,12}$/).filter((file) => file !== '.' && file !== '..'),
      { maxLength: 3 },
    ),
    array: fc.uniqueArray(fc.nat(1_000_000), { minLength: 1, maxLength: 5 }),
    requeue: fc.boolean(),
    queue: fc.stringMatching(/^[A-Za-z][\w.@-]{0,12}$/),
    hold: fc.boolean(),
  },
  { requiredKeys: ['name', 'command', 'folder'] },
)
/** One of its names is replaced by anything. */
const strange = fc.tuple(description, fc.constantFrom('name', 'queue', 'inputs'), hostileArgument)

const textOf = (job: JobDescription) => dialect.files(job)[0]?.text ?? ''
/** The expression in an ad's JSON. */
const expressionOf = (value: unknown) => /^\/Expr\((.*)\)\/$/s.exec(String(value))?.[1] ?? 'undefined'
describeReal("HTCondor's parsers", need, () => {
  let judge: Judge
  beforeAll(async () => {
    judge = await startHtcondorJudge()
  })
  afterAll(() => judge[Symbol.asyncDispose]())

  /** Whether HTCondor makes of a description the jobs that were meant. */
  async function expectMeant(job: JobDescription) {
    const { cores = 1, memoryMb, nodes = 1, gpus } = job.resources ?? {}
    const ads = await judge.jobs(textOf(job))
    expect(ads.map(({ TaskId }) => TaskId)).toEqual(job.array ?? [undefined])
    for (const [at, ad] of ads.entries()) {
      const task = job.array?.[at]
      expect(ad).toMatchObject({
        JobBatchName: job.name,
        Environment: task === undefined ? '' : `TASK_ID=${task}`,
        JobUniverse: nodes > 1 ? 11 : 5,
        RequestCpus: cores,
        JobStatus: job.hold ? 5 : 1,
        ShouldTransferFiles: 'IF_NEEDED',
        WhenToTransferOutput: 'ON_EXIT',
      })
      expect(String(ad.Cmd).endsWith(`/${job.name}.sh`)).toBe(true)
      expect(String(ad.UserLog).endsWith(`/${job.name}.log`)).toBe(true)
      expect([ad.MinHosts, ad.MaxHosts]).toEqual([nodes, nodes])
      if (memoryMb !== undefined) expect(ad.RequestMemory).toBe(memoryMb)
      expect(ad.RequestGPUs).toBe(gpus)
      expect(ad.TransferInput ?? '').toBe(job.inputs?.join(',') ?? '')
    }
    return ads
  }

  it('make the jobs of our descriptions that we mean', async () => {
    await fc.assert(
      fc.asyncProperty(description, async (job) => {
        checkJob(job)
        await expectMeant(job)
      }),
    )
  })

  it('are given no name that they take for something else', async () => {
    let refused = 0
    await fc.assert(
      fc.asyncProperty(strange, async ([job, part, text]) => {
        const odd = { ...job, [part]: part === 'inputs' ? [text] : text }
        try {
          checkJob(odd)
        } catch (error) {
          refused++
          expect((error as Error).message).toMatch(/^the job's (name|queue|input): received [^\n]*; accepts /)
          return
        }
        await expectMeant(odd)
      }),
    )
    expect(refused).toBeGreaterThan(50)
  })

  it('match a job with the machines of its pool, and remove it when its time is over or its node was lost', async () => {
    await fc.assert(
      fc.asyncProperty(description, async (job) => {
        const [ad = {}] = await judge.jobs(textOf(job))
        const [ours] = expressionOf(ad.Requirements).split(' && ')
        const pools = await judge.evaluate(ours ?? '', [{ Pool: job.queue ?? '' }, { Pool: 'another' }, {}])
        if (job.queue !== undefined) expect(pools).toEqual([true, false, null])
        const { walltimeSeconds } = job.resources ?? {}
        const removed = await judge.evaluate(expressionOf(ad.PeriodicRemove), [
          {
            JobStatus: 2,
            EnteredCurrentStatus: { expression: `time() - ${(walltimeSeconds ?? 1) + 1}` },
            NumJobStarts: 1,
          },
          {
            JobStatus: 2,
            EnteredCurrentStatus: { expression: `time() - ${(walltimeSeconds ?? 1) - 1}` },
            NumJobStarts: 1,
          },
          // It waits for its first start, and for another one after its node was lost.
          { JobStatus: 1, EnteredCurrentStatus: 0, NumJobStarts: 0 },
          { JobStatus: 1, EnteredCurrentStatus: 0, NumJobStarts: 1 },
        ])
        const isRemoved = [walltimeSeconds !== undefined, false, false, job.requeue === false]
        expect(removed.map(Boolean)).toEqual(isRemoved)
      }),
    )
  })

  it('find with our constraints the jobs that we ask for', async () => {
    const id = fc.nat(3).map(String)
    const ads = [0, 1, 2, 3].flatMap((ClusterId): Attributes[] => [
      { ClusterId, Owner: 'you' },
      { ClusterId, Owner: 'CORP\\you', DAGManJobId: (ClusterId + 1) % 4 },
      ...[0, 1, 2].map((TaskId) => ({ ClusterId, TaskId, Owner: "O'Neil" })),
    ])
    const matching = async (constraint: string | undefined) => {
      const matches = await judge.evaluate(constraint ?? '', ads)
      return ads.filter((_, at) => matches[at] === true)
    }
    await fc.assert(
      fc.asyncProperty(id, fc.uniqueArray(fc.nat(2), { minLength: 1 }), async (cluster, tasks) => {
        const job = { id: cluster, name: 'study', folder: '/home/you/run' }
        const meant = ads.filter((ad) => `${ad.ClusterId}` === cluster && tasks.includes(Number(ad.TaskId)))
        expect(await matching(dialect.cancel(job, tasks).at(-1))).toEqual(meant)
        const inDag = ads.filter((ad) => [ad.ClusterId, ad.DAGManJobId].includes(Number(cluster)))
        expect(await matching(pollDag(cluster).command.at(-1))).toEqual(inDag)
      }),
    )
    for (const user of ['you', 'CORP\\you', "O'Neil"]) {
      expect(await matching(dialect.queue(user).command.at(-1))).toEqual(ads.filter(({ Owner }) => Owner === user))
    }
  })

  it('print lists that we read, with any text, and with expressions and undefined values in them', async () => {
    const text = fc.oneof(hostileArgument, fc.constant(null), fc.constant({ expression: 'JobStatus == 2' }))
    const ad = fc.record(
      { HoldReason: text, RemoveReason: text, RemoteHost: text, DAGNodeName: text, TaskId: fc.option(fc.nat()) },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(ad, { maxLength: 4 }), async (rest) => {
        const ads: Attributes[] = rest.map((each, at) => ({ ...each, ClusterId: at, JobStatus: 5 }))
        const printed = await judge.listed(ads)
        const read = pollDag('0').parse(`${printed}\n--\n`)
        expect(read).toHaveLength(ads.length)
        for (const [at, { HoldReason, DAGNodeName, TaskId }] of rest.entries()) {
          const status = read[at]
          expect(status).toMatchObject({ id: String(at), state: 'held' })
          expect(status?.task).toBe(TaskId ?? undefined)
          if (typeof HoldReason !== 'object') expect(status?.reason).toBe(HoldReason || undefined)
          if (typeof DAGNodeName !== 'object') expect(status?.dagNode).toBe(DAGNodeName)
          for (const part of [status?.reason, status?.dagNode, status?.node]) expect(part).not.toBe('null')
          expect(status).not.toHaveProperty('unread')
        }
      }),
    )
  })

  it('take our graphs', async () => {
    const graph = fc
      .uniqueArray(
        name.filter((each) => !each.includes('.')),
        { minLength: 1, maxLength: 6 },
      )
      .map((names) =>
        names.map((each, at) => ({
          name: each,
          file: `${each}.sub`,
          parents: names.slice(0, at).filter((_, n) => (n + at) % 2),
        })),
      )
    await fc.assert(
      fc.asyncProperty(graph, async (nodes) => {
        expect(await judge.dag(dagFile(nodes))).toMatchObject({ universe: 'scheduler' })
      }),
    )
    await expect(judge.dag('JOB A A.sub\nPARENTS A CHILD B\n')).rejects.toThrow("'PARENTS' is not a valid DAG command")
    for (const wrong of ['a.b', 'Parent', 'ALL_NODES'])
      expect(() => dagFile([{ name: wrong, file: 'a.sub', parents: [] }])).toThrow(
        `DAGMan takes no job called ${wrong}`,
      )
  })

  describe.skipIf(windows)('agree with the practice cluster', () => {
    it('on the jobs of a description, and on those that a constraint finds', async () => {
      await using opened = await open({ scheduler: 'htcondor' })
      const { connection } = opened.cluster
      const list = async (...args: string[]) =>
        JSON.parse((await connection.output(['condor_q', '-json', ...args])) || '[]') as Attributes[]
      const array = await opened.submit({ hold: true, array: [7, 3, 11] })
      const single = await opened.submit({ hold: true, inputs: ['data.bin'], resources: { cores: 2, memoryMb: 10 } })
      const ads = await list()
      for (const job of [array, single]) {
        const text = String(await connection.readFile(join(job.folder, `${job.name}.sub`)))
        const same = ({ TaskId, JobBatchName, ProcId, JobStatus }: JobAd) => [TaskId, JobBatchName, ProcId, JobStatus]
        expect(ads.filter(({ ClusterId }) => String(ClusterId) === job.id).map(same)).toEqual(
          (await judge.jobs(text)).map(same),
        )
      }
      const constraints = [
        dialect.cancel(array, [3, 11]).at(-1),
        pollDag(single.id).command.at(-1),
        dialect.queue('practice').command.at(-1),
        dialect.queue('nobody').command.at(-1),
      ]
      for (const constraint of constraints) {
        const matches = await judge.evaluate(constraint ?? '', ads)
        expect(await list('-constraint', constraint ?? '')).toEqual(ads.filter((_, at) => matches[at] === true))
      }
    })

    it('on how each job ended, by its event log', async () => {
      // An event log has the clock of its machine.
      vi.stubEnv('TZ', timeZone)
      onTestFinished(() => void vi.unstubAllEnvs())
      await using opened = await open({ scheduler: 'htcondor', practice: { killWaitMs: 300 } })
      const { cluster, practice } = opened
      const started = Date.now()
      const wait = ['sh', '-c', 'while [ ! -e go ]; do sleep 0.1; done']
      const ends = await opened.submit({
        command: ['sh', '-c', 'if [ "$TASK_ID" = 2 ]; then kill -9 $$; fi; exit "$TASK_ID"'],
        array: [0, 1, 2],
      })
      const held = await opened.submit({ hold: true })
      const late = await opened.submit({ command: ['sleep', '60'], resources: { walltimeSeconds: 1 } })
      const again = await opened.submit({ command: wait, requeue: true })
      const removed = await opened.submit({ command: ['sleep', '60'] })
      await opened.ended(ends)
      await opened.ended(late)
      await cluster.release(held)
      await opened.ended(held)
      const [{ node = '' } = {}] = await opened.running(again)
      practice.failNode(node)
      await until(async () => (await cluster.poll([again]))[0]?.node !== node, { timeoutMs: 60_000 })
      await opened.running(again)
      await cluster.connection.writeFile(join(again.folder, 'go'), '')
      await opened.ended(again)
      await cluster.cancel(removed)
      await opened.ended(removed)

      for (const job of [ends, held, late, again, removed]) {
        const events = await judge.events(join(job.folder, `${job.name}.log`))
        const polled = await cluster.poll([job])
        expect(polled).toHaveLength(job.array?.length ?? 1)
        for (const status of polled) {
          const own = events.filter(({ Proc }) => Proc === (job.array?.indexOf(status.task ?? 0) ?? 0))
          expect(own[0]).toMatchObject({ MyType: 'SubmitEvent', Cluster: Number(job.id) })
          expect(stateAfter(own.at(-1) ?? {})).toEqual({ state: status.state, exitCode: status.exitCode })
          for (const { at } of own) {
            expect(Number(at) * 1_000).toBeGreaterThan(started - 2_000)
            expect(Number(at) * 1_000).toBeLessThanOrEqual(Date.now())
          }
        }
      }
      const types = async (job: { folder: string; name: string }) =>
        (await judge.events(join(job.folder, `${job.name}.log`))).map(({ MyType }) =>
          String(MyType).replace('Event', ''),
        )
      expect(await types(held)).toEqual(['Submit', 'JobHeld', 'JobRelease', 'Execute', 'JobTerminated'])
      expect(await types(again)).toEqual(['Submit', 'Execute', 'JobEvicted', 'Execute', 'JobTerminated'])
    })
  })
})

/** What the last event of a job says. */
function stateAfter(event: JobAd): { state: JobState; exitCode: number | undefined } {
  const { MyType, ReturnValue, TerminatedBySignal, Reason } = event
  if (MyType === 'JobAbortedEvent')
    return { state: String(Reason).includes('PeriodicRemove') ? 'timed out' : 'cancelled', exitCode: undefined }
  if (TerminatedBySignal !== undefined) return { state: 'failed', exitCode: 128 + Number(TerminatedBySignal) }
  return { state: ReturnValue === 0 ? 'completed' : 'failed', exitCode: Number(ReturnValue) }
}
