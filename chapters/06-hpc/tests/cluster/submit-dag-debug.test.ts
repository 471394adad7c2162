/** submit, dag and debug as a reader runs them, on each of the four schedulers. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { schedulerNames } from '@repo/practice-cluster/notation'
import { describe, expect, it } from 'vitest'
import { typeInto } from '../typed.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const run = (name: string, ...args: string[]) => runExample(chapter, name, args)
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

describe.skipIf(windows).concurrent.each(schedulerNames)('on %s', (scheduler) => {
  it('submit takes a job from its script to its output', async () => {
    const { code, json, leftBehind } = await run('submit', '--quick', '--json', '--scheduler', scheduler)
    expect(code).toBe(0)
    const result = json<{ states: { state: string; ms: number }[]; stdout: string; command: string }>()
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
    expect(result.stdout).toMatch(/^Hello from n\d\npi is about 3\.14159\n$/)
    expect(result.states.at(-1)?.state).toBe('completed')
    expect(result.states.map(({ ms }) => ms)).toEqual(result.states.map(({ ms }) => ms).toSorted((a, b) => a - b))
    expect(await leftBehind()).toEqual([])
  })

  it('dag starts D when B and C have succeeded, and not at all when B has failed', async () => {
    const [good, bad] = await Promise.all([
      run('dag', '--quick', '--json', '--scheduler', scheduler),
      run('dag', '--quick', '--json', '--scheduler', scheduler, '--fail', 'B'),
    ])
    expect([good.code, bad.code]).toEqual([0, 0])
    // The sum of 1 to 100,000, by Gauss.
    expect(good.json()).toMatchObject({ scheduler, result: 5_000_050_000, expected: 5_000_050_000 })
    const { jobs, picture } = good.json<Dag>()
    expect(jobs.map(({ name, state }) => [name, state])).toEqual(
      ['A', 'B', 'C', 'D'].map((name) => [name, 'completed']),
    )
    const [a, b, c, d] = jobs
    expect(b?.startedMs).toBeGreaterThanOrEqual(a?.endedMs ?? Number.NaN)
    expect(c?.startedMs).toBeGreaterThanOrEqual(a?.endedMs ?? Number.NaN)
    expect(d?.startedMs).toBeGreaterThanOrEqual(Math.max(b?.endedMs ?? Number.NaN, c?.endedMs ?? Number.NaN))
    expect(await readFile(picture, 'utf8')).toMatch(/^<svg .*A diamond of jobs/s)

    const failed = bad.json<Dag>()
    expect(failed).toMatchObject({ fail: 'B', error: 'told to fail' })
    expect(failed.result).toBeUndefined()
    expect(failed.jobs.map(({ state }) => state)).toEqual(['completed', 'failed', 'completed', 'cancelled'])
    expect(failed.jobs[1]?.exitCode).toBe(3)
    expect(failed.jobs[3]?.startedMs).toBeUndefined()
    if (scheduler === 'htcondor') {
      expect(failed.rescue).toMatch(/DONE A\nDONE C$/)
      expect(failed.jobs[3]).not.toHaveProperty('id')
    }
    expect([...(await good.leftBehind()), ...(await bad.leftBehind())]).toEqual([])
  })

  it('debug says why jobs wait, what they see, and what they print while they run', async () => {
    const { code, json, leftBehind } = await run('debug', '--quick', '--json', '--scheduler', scheduler)
    expect(code).toBe(0)
    const result = json<{
      waits: { what: string; why: string; meaning: string }[]
      log: { live: number }
      environment: { scheduler: string[] }
    }>()
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
    expect(result).toMatchObject({ log: { lines: ['step 1 of 3', 'step 2 of 3', 'step 3 of 3'] } })
    expect(await leftBehind()).toEqual([])
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
    const { json } = await run(
      'submit',
      '--json',
      '--name',
      'mine',
      '--',
      'sh',
      '-c',
      'printf %s "$1"; exit 4',
      'sh',
      text,
    )
    expect(json()).toMatchObject({ state: 'failed', exitCode: 4, stdout: text })
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
    ['--queue nosuch', ['--queue', 'nosuch'], /queue nosuch"; accepts .*sbatch.*invalid partition specified: nosuch/],
    [
      'more cores than any node has',
      ['--cores', '5000'],
      /"5000 cores.*accepts .*Requested node configuration is not available/,
    ],
  ])('says in the words of the scheduler that it refuses %s', async (_, args, message) => {
    const { code, stderr } = await run('submit', ...args)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: the job: received [^\n]*\n$/)
    expect(stderr).toMatch(message)
  })
})

describe.skipIf(windows).concurrent('debug', () => {
  it('gives the reader a shell on a node', async () => {
    const { code, stdout } = await typeInto(['--shell'], 'hostname; echo "$((2 + 3))"\nexit\n')
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^n[12]\n5\n$/) })
  })
})
