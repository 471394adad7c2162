/**
 * submit, dag and debug on each of the four schedulers: on the first as a reader runs them, on the others as functions.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { type SchedulerName, schedulerNames } from '@repo/practice-cluster/notation'
import { describe, expect, it } from 'vitest'
import dag from '../../examples/dag.ts'
import debug from '../../examples/debug.ts'
import submit from '../../examples/submit.ts'
import { typeInto } from '../typed.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const examples = { submit, dag, debug }
const run = (name: keyof typeof examples, ...args: string[]) => runExample(chapter, name, args)
const windows = process.platform === 'win32'

interface Dag {
  jobs: {
    name: string
    state: string
    startedMs?: number
    endedMs: number
    exitCode?: number
    id?: string
    reason?: string
  }[]
  picture: string
  result?: number
  rescue?: string
}

/** The document of an example, as from `--json`. */
async function documentOf<T>(
  name: keyof typeof examples,
  scheduler: SchedulerName,
  { operands = [], ...options }: { fail?: 'B'; seconds?: number; operands?: string[] } = {},
): Promise<T> {
  if (scheduler !== schedulerNames[0]) {
    return JSON.parse(JSON.stringify(await examples[name].run({ scheduler, ...options }, operands)))
  }
  const args = Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)])
  const rest = operands.length > 0 ? ['--', ...operands] : []
  const { code, json, leftBehind } = await run(name, '--quick', '--json', '--scheduler', scheduler, ...args, ...rest)
  expect(code).toBe(0)
  expect(await leftBehind()).toEqual([])
  return json<T>()
}

describe.skipIf(windows).concurrent.each(schedulerNames)('on %s', (scheduler) => {
  it('submit takes a job from its script to its output', async () => {
    const result = await documentOf<{ states: { state: string; ms: number }[]; stdout: string; command: string }>(
      'submit',
      scheduler,
      { operands: ['sh', '-c', 'echo "Hello from $(hostname)"'] },
    )
    const command = {
      slurm: 'sbatch --parsable hello.sh',
      pbs: 'qsub hello.sh',
      torque: 'qsub hello.sh',
      htcondor: 'condor_submit hello.sub',
    }
    expect(result).toMatchObject({
      scheduler,
      host: 'the practice cluster',
      state: 'completed',
      exitCode: 0,
      stderr: '',
      command: command[scheduler],
    })
    expect(result.stdout).toMatch(/^Hello from n\d\n$/)
    expect(result.states.at(-1)?.state).toBe('completed')
    expect(result.states.map(({ ms }) => ms)).toEqual(result.states.map(({ ms }) => ms).toSorted((a, b) => a - b))
  })

  it('dag starts D when B and C have succeeded, and not at all when B has failed', async () => {
    const [good, failed] = await Promise.all([
      documentOf<Dag>('dag', scheduler, { seconds: 0.2 }),
      documentOf<Dag>('dag', scheduler, { seconds: 0.2, fail: 'B' }),
    ])
    // The sum of 1 to 100,000, by Gauss.
    expect(good).toMatchObject({ scheduler, result: 5_000_050_000, expected: 5_000_050_000 })
    const { jobs, picture } = good
    expect(jobs.map(({ name, state }) => [name, state])).toEqual(
      ['A', 'B', 'C', 'D'].map((name) => [name, 'completed']),
    )
    const [a, b, c, d] = jobs
    expect(b?.startedMs).toBeGreaterThanOrEqual(a?.endedMs ?? Number.NaN)
    expect(c?.startedMs).toBeGreaterThanOrEqual(a?.endedMs ?? Number.NaN)
    expect(d?.startedMs).toBeGreaterThanOrEqual(Math.max(b?.endedMs ?? Number.NaN, c?.endedMs ?? Number.NaN))
    expect(await readFile(picture, 'utf8')).toMatch(/^<svg .*A diamond of jobs/s)

    expect(failed).toMatchObject({ fail: 'B', error: 'told to fail' })
    expect(failed.result).toBeUndefined()
    expect(failed.jobs.map(({ state }) => state)).toEqual(['completed', 'failed', 'completed', 'cancelled'])
    expect(failed.jobs[1]?.exitCode).toBe(3)
    expect(failed.jobs[3]?.startedMs).toBeUndefined()
    if (scheduler === 'htcondor') {
      expect(failed.rescue).toMatch(/DONE A\nDONE C$/)
      expect(failed.jobs[3]).not.toHaveProperty('id')
    }
  })

  it('debug says why jobs wait, what they see, and what they print while they run', async () => {
    const result = await documentOf<{
      waits: { what: string; why: string; meaning: string }[]
      environment: { scheduler: string[] }
    }>('debug', scheduler)
    const meanings = result.waits.map(({ meaning }) => meaning.split(':')[0])
    const expected = [
      'somebody holds it',
      'it waits for another job',
      'it asks for more than any node has, or than the queue allows',
      'what it needs is in use',
      scheduler === 'slurm'
        ? 'others are ahead of it; a shorter walltime may let it slip into a gap'
        : 'what it needs is in use',
    ]
    // On HTCondor only the nodes of a DAG wait for other jobs.
    expect(meanings).toEqual(scheduler === 'htcondor' ? expected.filter((_, at) => at !== 1) : expected)
    const variable = { slurm: 'SLURM_JOB_ID', pbs: 'PBS_JOBID', torque: 'PBS_JOBID', htcondor: '_CONDOR_SLOT' }[
      scheduler
    ]
    expect(result.environment.scheduler).toContain(variable)
    expect(result).toMatchObject({ nodes: 2, session: { text: expect.stringMatching(/n\d\n2 \+ 3 = 5/) } })
    const steps = scheduler === schedulerNames[0] ? 3 : 6
    expect(result).toMatchObject({
      log: { lines: Array.from({ length: steps }, (_, at) => `step ${at + 1} of ${steps}`) },
    })
  })
})

describe.skipIf(windows).concurrent('submit', () => {
  it('shows each step as the reader would type it', async () => {
    const { code, stdout } = await run('submit', '--quick')
    expect(code).toBe(0)
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
      /"5000 cores.*accepts .*Requested node configuration is not available/,
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
