/** The practice cluster as its users see it: commands typed into a shell on its login node. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { describe, expect, it } from 'vitest'
import { type PracticeOptions, startPracticeCluster } from '../src/cluster.ts'
import { logIn } from './login.ts'

const windows = process.platform === 'win32'

async function open(options: PracticeOptions = {}) {
  await using stack = new AsyncDisposableStack()
  const cluster = stack.use(await startPracticeCluster({ slots: 2, ...options }))
  const shell = stack.use(await logIn(cluster))
  const owned = stack.move()
  return {
    cluster,
    type: shell.type,
    /** The content of a file in the home folder, as soon as it has one. */
    content: (name: string) => until(() => readFile(join(cluster.home, name), 'utf8').catch(() => '')),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

describe.skipIf(windows)('the commands of', () => {
  it('Slurm take a job, list it while it waits, and say how it ended', async () => {
    await using own = await open({ schedulers: ['slurm'] })
    const script =
      '#!/bin/sh\n#SBATCH --job-name=greet --hold\n#SBATCH --output=greet.out\necho "on $(hostname)"; exit 3\n'
    expect(await own.type('sbatch', script)).toEqual({ code: 0, stdout: 'Submitted batch job 1\n', stderr: '' })
    expect((await own.type('squeue --noheader')).stdout.trim().split(/\s+/)).toEqual([
      '1',
      'practice',
      'greet',
      'practice',
      'PD',
      '0:00',
      '1',
      '(JobHeldUser)',
    ])
    await own.type('scontrol release 1')
    expect(await own.content('greet.out')).toBe('on n1\n')
    const ended = () => own.type('sacct -n -P -j 1 -o JobID,State,ExitCode')
    await until(async () => (await ended()).stdout === '1|FAILED|3:0\n')
    expect((await own.type('squeue -h')).stdout).toBe('')
  })

  it.each(['pbs', 'torque'] as const)('%s take a job from standard input and keep its output', async (scheduler) => {
    await using own = await open({ schedulers: [scheduler] })
    expect((await own.type('qsub -N greet -h', 'echo "in $PBS_JOBNAME"\n')).stdout).toBe('1.practice\n')
    expect((await own.type('qstat 1')).stdout.split('\n')[2]?.trim().split(/\s+/)).toEqual([
      '1.practice',
      'greet',
      'practice',
      '00:00:00',
      'H',
      'practice',
    ])
    await own.type('qrls 1')
    expect(await own.content('greet.o1')).toBe('in greet\n')
    const isOver = scheduler === 'pbs' ? /job_state = F[\s\S]*Exit_status = 0/ : /job_state = C[\s\S]*exit_status = 0/
    await until(async () => isOver.test((await own.type('qstat -x -f 1')).stdout))
  })

  it('HTCondor take a submit description and keep an event log', async () => {
    await using own = await open({ schedulers: ['htcondor'] })
    const description = 'executable = greet.sh\\noutput = greet.out\\nlog = greet.log\\nqueue\\n'
    await own.type(
      `printf '#!/bin/sh\\necho hello\\n' >greet.sh; chmod +x greet.sh; printf '${description}' >greet.sub`,
    )
    expect((await own.type('condor_submit greet.sub')).stdout).toContain('1 job(s) submitted to cluster 1.')
    expect(await own.content('greet.out')).toBe('hello\n')
    await until(async () => /^005 [\s\S]*return value 0/m.test(await own.content('greet.log')))
    expect(JSON.parse((await own.type('condor_history -json -attributes ExitCode')).stdout)).toEqual([{ ExitCode: 0 }])
  })

  it('all of them refuse in their own words what they cannot do', async () => {
    await using own = await open({ schedulers: ['slurm', 'pbs', 'htcondor'] })
    const refusals: [line: string, code: number, words: string][] = [
      ['sbatch nosuch.sh', 1, 'sbatch: error: Unable to open file nosuch.sh'],
      ['sbatch --wrap true --time soon', 1, 'sbatch: error: Invalid --time specification'],
      ['sbatch --wrap true --dependency afterok:x', 1, 'Job dependency problem'],
      ['qsub -J 5', 168, 'qsub: Bad Job Array Range'],
      ['qsub -W depend=someday:1', 2, 'qsub: illegal -W value'],
      ['qstat 99', 153, 'Unknown Job Id 99.practice'],
      ['condor_q -constraint "A =="', 1, 'Error: Parse error of: A =='],
    ]
    const answers = await Promise.all(refusals.map(([line]) => own.type(line)))
    for (const [at, { code, stderr }] of answers.entries()) {
      const [line, expected, words] = refusals[at] ?? []
      expect({ line, code, stderr }).toEqual({ line, code: expected, stderr: expect.stringContaining(words ?? '') })
    }
  })

  it('PBS tell nothing of the past where a site keeps no history', async () => {
    await using own = await open({ schedulers: ['pbs'], accounting: false })
    const { code, stderr } = await own.type('qstat -x -f 1')
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'qstat: PBS is not configured to maintain job history 1\n' })
    expect(await own.type('qstat')).toMatchObject({ code: 0 })
  })

  it('take walltimes that are longer than a timer', async () => {
    await using own = await open({ schedulers: ['slurm'] })
    await own.type('sbatch --time=60-00:00:00 --output=ran --wrap "sleep 0.2; echo ran"')
    expect(await own.content('ran')).toBe('ran\n')
  })
})

describe.skipIf(windows)('the practice cluster', () => {
  it('starts the ranks of a parallel program on their nodes', async () => {
    await using own = await open({ schedulers: ['slurm'] })
    const rank = 'echo "$SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME"'
    await own.type(
      'sbatch --nodes=2 --ntasks-per-node=2 --output=ranks.out',
      `#!/bin/sh\nsrun sh -c '${rank}'\necho done\n`,
    )
    await until(async () => /done/.test(await own.content('ranks.out')))
    expect((await own.content('ranks.out')).trim().split('\n').sort()).toEqual([
      '0 of 4 on n1',
      '1 of 4 on n1',
      '2 of 4 on n2',
      '3 of 4 on n2',
      'done',
    ])
  })

  it('gives a shell on a node, with the streams of the command that asked for it', async () => {
    await using own = await open()
    expect(await own.type('srun sh', 'hostname; exit 4\n')).toMatchObject({ code: 4, stdout: 'n1\n' })
    expect(await own.type('qsub -I', 'hostname; exit 5\n')).toMatchObject({ code: 5, stdout: 'n1\n' })
    expect(await own.type('condor_submit -interactive', 'hostname; exit 6\n')).toMatchObject({
      code: 6,
      stdout: 'n1\n',
    })
  })

  it('refuses more jobs than its user may have in the queue', async () => {
    await using own = await open({ schedulers: ['slurm'], mostJobs: 1 })
    expect((await own.type('sbatch --hold --wrap true')).code).toBe(0)
    expect((await own.type('sbatch --wrap true')).stderr).toContain('QOSMaxSubmitJobPerUserLimit')
  })

  it('lets nobody in with another key or as another user', async () => {
    await using own = await open()
    await using other = await open()
    const refused = /authentication methods failed/
    await expect(logIn(own.cluster, { identityFile: other.cluster.identityFile })).rejects.toThrow(refused)
    await expect(logIn(own.cluster, { user: 'root' })).rejects.toThrow(refused)
  })

  it('publishes its host key as a known_hosts file and as a fingerprint', async () => {
    await using own = await open()
    const [host, type, key = ''] = (await readFile(own.cluster.knownHostsFile, 'utf8')).trim().split(' ')
    expect([host, type]).toEqual([`[127.0.0.1]:${own.cluster.port}`, 'ssh-ed25519'])
    const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')
    expect(own.cluster.hostKey).toBe(`SHA256:${digest}`)
  })

  it('ends its jobs when it is disposed of', async () => {
    let pid = 0
    {
      await using own = await open({ schedulers: ['slurm'] })
      await own.type('sbatch --output=pid --wrap "echo $$; sleep 1000"'.replace('$$', '\\$\\$'))
      pid = Number(await own.content('pid'))
      expect(process.kill(pid, 0)).toBe(true)
    }
    await until(() => {
      try {
        return !process.kill(pid, 0)
      } catch {
        return true
      }
    })
  })
})

const found = await promisify(execFile)('scp', []).then(
  () => true,
  ({ code }) => code !== 'ENOENT',
)
describeReal('OpenSSH’s own scp', { name: 'scp', found, install: 'sudo apt-get install openssh-client' }, () => {
  it('copies a file to the login node and ends with 0', async () => {
    await using own = await open()
    const { host, port, user, home, knownHostsFile, identityFile } = own.cluster
    const options = ['-F', 'none', '-i', identityFile, '-o', `UserKnownHostsFile=${knownHostsFile}`, '-P', String(port)]
    await promisify(execFile)('scp', [...options, knownHostsFile, `${user}@${host}:copied`], { timeout: 20_000 })
    expect(await readFile(join(home, 'copied'), 'utf8')).toBe(await readFile(knownHostsFile, 'utf8'))
  })
})
