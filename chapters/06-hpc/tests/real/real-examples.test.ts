/** Every example, as a reader runs it, on a real Slurm and through its Torque commands, behind a real OpenSSH. */
import { execFile } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { sshConfig } from '../../src/real/open-ssh.ts'
import { chapter, need, useRealCluster } from '../fixtures/real-cluster.ts'
import { typeInto } from '../typed.ts'

interface Job {
  state: string
  exitCode?: number
  startedMs?: number
  endedMs?: number
}

describeReal('on a real cluster', need, () => {
  const { real, start, documentOf, asAdministrator } = useRealCluster()
  describe.concurrent.each(['slurm', 'torque'])('by the commands of %s', (scheduler) => {
    const with_ = (example: string, ...args: string[]) => start(example, '--scheduler', scheduler, ...args)

    it('array computes the same as this machine, with one submission', async () => {
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

    it('ranks on both nodes get the same sum as Open MPI', async () => {
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
      const document = await documentOf<{ stdout: string; states: { state: string }[] }>(with_('submit'))
      expect(document).toMatchObject({ scheduler, state: 'completed', exitCode: 0, stderr: '' })
      expect(document.stdout).toMatch(/^Hello from .*\npi is about 3\.14159\n$/)
      expect(document.states.at(-1)?.state).toBe('completed')
    })

    it.each([
      ['a queue that is not there', ['--queue', 'nosuch'], /queue nosuch"; accepts .*[Ii]nvalid partition/],
      ['resources that no node has', ['--cores', '17'], /"17 cores.*accepts .*node configuration is not available/],
    ])('submit says that it refuses %s', async (_, args, message) => {
      const { code, stdout, stderr } = await with_('submit', ...args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/^error: the job: received [^\n]*\n$/)
      expect(stderr).toMatch(message)
    })

    it('dag runs B and C after A, and D after both', async () => {
      const document = await documentOf<{ jobs: Job[] }>(with_('dag'))
      expect(document).toMatchObject({ scheduler, result: 5_000_050_000 })
      const [a, b, c, d] = document.jobs
      expect(document.jobs.map(({ state }) => state)).toEqual(Array(4).fill('completed'))
      for (const after of [b, c]) expect(after?.startedMs).toBeGreaterThanOrEqual(a?.endedMs ?? Number.NaN)
      for (const before of [b, c]) expect(d?.startedMs).toBeGreaterThanOrEqual(before?.endedMs ?? Number.NaN)
    })

    it('dag does not begin D when B has failed', async () => {
      const document = await documentOf<{ jobs: Job[]; result?: number }>(with_('dag', '--fail', 'B'))
      expect(document).toMatchObject({ scheduler, error: 'told to fail', jobs: [{}, { exitCode: 3 }, {}, {}] })
      expect(document.jobs.map(({ state }) => state)).toEqual(['completed', 'failed', 'completed', 'cancelled'])
      expect(document.jobs[3]?.startedMs).toBeUndefined()
      expect(document.result).toBeUndefined()
    })

    it('debug says why a job waits, what it sees and what it prints', async () => {
      const document = await documentOf<{ waits: { meaning: string; refused: boolean }[]; environment: object }>(
        with_('debug'),
      )
      expect(document.waits.map(({ meaning, refused }) => [meaning.split(':')[0], refused])).toEqual([
        ['somebody holds it', false],
        ['it waits for another job', false],
        ['it asks for more than any node has, or than the queue allows', true],
      ])
      expect(document).toMatchObject({
        scheduler,
        nodes: 2,
        log: { lines: ['step 1 of 3', 'step 2 of 3', 'step 3 of 3'] },
        environment: { scheduler: expect.arrayContaining(['SLURM_JOB_ID']) },
        session: { text: expect.stringContaining('2 + 3 = 5') },
      })
    })

    it("debug says why the reader's own job waits", async () => {
      const held = ['--parsable', '--hold', '--output=/dev/null', '--wrap=true']
      const id = (await asAdministrator('sbatch', ...held)).trim()
      const document = await documentOf(with_('debug', '--job', id))
      expect(document).toMatchObject({ waits: [{ job: id, meaning: expect.stringMatching(/^somebody holds it/) }] })
      await asAdministrator('scancel', id)
    })
  })

  describe.concurrent('a reader', () => {
    it('comes back to an array whose client was killed', async () => {
      const args = ['--host', real().host, '--ssh-config', real().configFile]
      const killed = await runExample(chapter, 'array', [...args, '--job', 'mandelbrot', '--tasks', '12'], {
        interruptWhen: /go on with/,
        interruptWith: 'SIGKILL',
      })
      expect(killed.signal).toBe('SIGKILL')
      // As printed, for the reader's own shell.
      const [, more = ''] = /go on with: (--attach .*)$/m.exec(killed.stdout) ?? []
      const document = await documentOf(runExample(chapter, 'array', ['--json', ...more.split(' ')]))
      expect(document).toMatchObject({ tasks: 12, completed: 12, resubmitted: 0, result: { width: 1200 } })
    })

    it('accepts the key of a new host, once and for all', async () => {
      await using folder = await temporaryFolder()
      const [knownHostsFile, configFile] = [join(folder.path, 'known_hosts'), join(folder.path, 'config')]
      await writeFile(configFile, sshConfig('new', { ...real().ssh, knownHostsFile }))
      const { stdout } = await promisify(execFile)('ssh-keygen', ['-lf', join(real().ssh.folder, 'host_key.pub')])
      const [fingerprint = ''] = /SHA256:\S+/.exec(stdout) ?? []
      const submit = (...more: string[]) =>
        runExample(chapter, 'submit', ['--host', 'new', '--ssh-config', configFile, '--quick', '--json', ...more])
      expect((await submit()).stderr).toContain(fingerprint)
      expect(await documentOf(submit('--accept-host', fingerprint))).toMatchObject({ state: 'completed' })
      expect(await documentOf(submit())).toMatchObject({ state: 'completed' })
    })

    it('finds nothing left behind by a failed run that nobody could come back to', async () => {
      const { code, stderr } = await start('checkpoint', '--node', 'no-such-node')
      expect(code).toBe(1)
      expect(stderr).toMatch(/the job ended in its life 1: failed, exit code 127: .*no-such-node: not found/)
      // The last of these tests looks into the account and the queue.
    })

    it('is given a shell on a node', async () => {
      const args = ['--host', real().host, '--ssh-config', real().configFile, '--shell']
      const { code, stdout } = await typeInto(args, 'echo "node $SLURMD_NODENAME, $((2 + 3))"\nexit\n')
      expect(code).toBe(0)
      expect(stdout).toMatch(/node n[12], 5/)
    })
  })

  it('leaves nothing in the account, and nothing in the queue', async () => {
    // Cancelled jobs take a while to end.
    await until(async () => (await asAdministrator('squeue', '-h')) === '', { timeoutMs: 60_000 })
    // Names that begin with a dot belong to the account's shell.
    const files = await readdir(join(real().ssh.folder, 'home'))
    expect(files.filter((name) => !name.startsWith('.'))).toEqual([])
  })
})
