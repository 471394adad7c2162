/** The dialects as functions: what they write, what they run, and how they read what the commands have printed. */
import { execFile } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describe, expect, it } from 'vitest'
import { settle } from '../../src/scheduler/exit-codes.ts'
import { dagFile, htcondor, pollDag } from '../../src/scheduler/htcondor.ts'
import { checkJob, type JobDescription, type JobStatus, type SubmittedJob } from '../../src/scheduler/job.ts'
import { nodeState, pbs } from '../../src/scheduler/pbs.ts'
import { dialectOf, probe, readProbe } from '../../src/scheduler/probe.ts'
import { type Dialect, meaningOf } from '../../src/scheduler/scheduler.ts'
import { slurm } from '../../src/scheduler/slurm.ts'
import { torque } from '../../src/scheduler/torque.ts'

const all: Dialect[] = [
  slurm({ accounting: true }),
  slurm({ accounting: false }),
  pbs(),
  torque({ onSlurm: false }),
  htcondor(),
]
const job: JobDescription = { name: 'study', command: ['node', 'work.mjs'], folder: '/home/you/run' }
const submitted = (id: string, array?: number[]): SubmittedJob => ({
  id,
  name: 'study',
  folder: job.folder,
  ...(array && { array }),
})
const failing = (stderr: string, code = 1) => ({ code, stdout: '', stderr })
const scriptOf = (dialect: Dialect, more: Partial<JobDescription> = {}) =>
  dialect.files({ ...job, ...more })[0]?.text ?? ''
const headerOf = (dialect: Dialect, more: Partial<JobDescription>) =>
  scriptOf(dialect, more).split('\n\n')[0]?.split('\n').slice(1)

const everything: Partial<JobDescription> = {
  resources: { cores: 4, memoryMb: 512, nodes: 2, ranksPerNode: 2, walltimeSeconds: 3725, gpus: 1 },
  array: [0, 1, 2, 5],
  queue: 'long',
  requeue: true,
  hold: true,
}
const waits: Partial<JobDescription> = {
  dependencies: [
    { on: '7', when: 'ok' },
    { on: '8', when: 'not ok' },
    { on: '9', when: 'any' },
  ],
}

describe('what is written for', () => {
  it('Slurm', () => {
    expect(headerOf(slurm({ accounting: false }), { ...everything, ...waits, warnSeconds: 30 })).toEqual([
      '#SBATCH --job-name=study',
      '#SBATCH --partition=long',
      '#SBATCH --nodes=2',
      '#SBATCH --ntasks-per-node=2',
      '#SBATCH --cpus-per-task=2',
      '#SBATCH --mem=512M',
      '#SBATCH --gpus-per-node=1',
      '#SBATCH --time=01:02:05',
      '#SBATCH --array=0-2,5',
      '#SBATCH --dependency=afterok:7,afternotok:8,afterany:9',
      '#SBATCH --kill-on-invalid-dep=yes',
      '#SBATCH --signal=B:TERM@30',
      '#SBATCH --output=study.%a.log',
      '#SBATCH --requeue',
      '#SBATCH --hold',
    ])
  })

  it('PBS', () => {
    expect(headerOf(pbs(), { ...everything, ...waits })).toEqual([
      '#PBS -N study',
      '#PBS -l select=2:ncpus=4:mpiprocs=2:mem=512mb:ngpus=1',
      '#PBS -l place=scatter',
      '#PBS -l walltime=01:02:05',
      '#PBS -q long',
      '#PBS -J 0-3',
      '#PBS -W depend=afterok:7,afternotok:8,afterany:9',
      '#PBS -r y',
      '#PBS -h',
      '#PBS -j oe',
      '#PBS -o study.^array_index^.log',
    ])
  })

  it('Torque, and for its imitation by Slurm all on the command line', () => {
    const words = [
      '-N study',
      '-l nodes=2:ppn=4:gpus=1,mem=512mb,walltime=01:02:05',
      '-q long',
      '-t 0-2,5',
      '-r y',
      '-h',
      '-j oe',
    ]
    expect(headerOf(torque({ onSlurm: false }), everything)).toEqual(
      [...words, '-o study.log'].map((line) => `#PBS ${line}`),
    )
    const imitation = torque({ onSlurm: true })
    expect(headerOf(imitation, everything)).toEqual([])
    const { command } = imitation.submit({ ...job, ...everything })
    // There the tasks of an array are found only by its name, which no other folder's array has.
    expect(command.join(' ')).toMatch(/^qsub -N study-[0-9a-f]{8} -l /)
    const withoutName = command.slice(3).join(' ')
    expect(withoutName).toBe(`${words.slice(1).join(' ')} -o study.%a.log study.sh`)
    expect(imitation.submit({ ...job, ...everything, folder: '/elsewhere' }).command[2]).not.toBe(command[2])
    expect(imitation.submit(job).command.join(' ')).toBe('qsub -N study -l nodes=1:ppn=1 -j oe -o study.log study.sh')
  })

  it('HTCondor, whose script has no header, and DAGMan, with a DAG', () => {
    const [description, script] = htcondor().files({
      ...job,
      ...everything,
      inputs: ['study.mjs', 'data.bin'],
      queue: undefined as never,
    })
    expect(description?.text.split('\n')).toEqual([
      'universe = parallel',
      'machine_count = 2',
      'executable = study.sh',
      'batch_name = study',
      'environment = "TASK_ID=$(TASK_ID)"',
      '+TaskId = $(TASK_ID)',
      'log = study.log',
      'should_transfer_files = IF_NEEDED',
      'transfer_input_files = study.mjs, data.bin',
      'when_to_transfer_output = ON_EXIT',
      'request_cpus = 4',
      'request_memory = 512MB',
      'request_gpus = 1',
      'periodic_remove = (JobStatus == 2 && time() - EnteredCurrentStatus > 3725)',
      'hold = True',
      'queue TASK_ID in (0 1 2 5)',
      '',
    ])
    expect(script?.text).not.toContain('cd ')
    expect(() => htcondor().files({ ...job, ...waits })).toThrow('DAGMan')
    const nodes = ['A', 'B', 'C', 'D'].map((name, at) => ({
      name,
      file: `${name}.sub`,
      parents: [[], ['A'], ['A'], ['B', 'C']][at] ?? [],
    }))
    expect(dagFile(nodes)).toBe(
      'JOB A A.sub\nJOB B B.sub\nJOB C C.sub\nJOB D D.sub\nPARENT A CHILD B\nPARENT A CHILD C\nPARENT B C CHILD D\n',
    )
  })

  it.each([
    ['name', { name: 'a\n#SBATCH --partition=secret' }],
    ['name', { name: '../up' }],
    ['folder', { folder: '/home/a\nb' }],
    ['folder', { folder: 'relative' }],
    ['queue', { queue: 'long; rm -rf /' }],
    // HTCondor would copy the folder with all that is in it.
    ['input', { inputs: ['..'] }],
    ['environment', { environment: { 'A B': '1' } }],
    ['command', { command: [] }],
    ['array', { array: [1, 1] }],
    ['array', { array: [] }],
    ['cores', { resources: { cores: 0 } }],
    ['walltimeSeconds', { resources: { walltimeSeconds: 1.5 } }],
    ['dependency', { dependencies: [{ on: '1;2', when: 'ok' as const }] }],
  ])('nobody, when the %s is not one', (part, wrong) => {
    expect(() => checkJob({ ...job, ...wrong })).toThrow(new RegExp(`^the job's ${part}: received .*; accepts `))
  })
})

describe('what people would type', () => {
  const one = submitted('12')
  const tasks = submitted('12', [0, 1, 2, 7])
  const typed = (dialect: Dialect) => [
    dialect.submit(job).command,
    dialect.list(one),
    dialect.cancel(one),
    dialect.cancel(tasks, [0, 1, 7]),
    dialect.hold(one),
    dialect.release(one),
    dialect.why(one).command,
    dialect.queue('you').command,
    dialect.nodes().command,
    dialect.interactive({ walltimeSeconds: 60, terminal: true }),
    dialect.interactive({ walltimeSeconds: 3_600, terminal: false }),
  ]
  const words = (dialect: Dialect) => typed(dialect).map((command) => command.join(' '))

  it('for Slurm', () => {
    for (const accounting of [true, false]) {
      expect(words(slurm({ accounting }))).toEqual([
        'sbatch --parsable study.sh',
        'squeue --jobs=12',
        'scancel 12',
        'scancel 12_[0-1,7]',
        'scontrol hold 12',
        'scontrol release 12',
        'scontrol show job 12',
        'squeue --noheader --me --states=all --format=%F|%T|%r|%Z|%j',
        'sinfo --noheader --Node --format=%N|%T|%C|%m|%E',
        'srun --time=00:01:00 --pty sh',
        'srun --time=01:00:00 sh',
      ])
    }
    expect(
      slurm({ accounting: false })
        .poll([one, submitted('13')])
        .command.join(' '),
    ).toBe(
      'squeue --noheader --array --states=all --jobs=12,13 --Format=JobArrayID:30,State:20,exit_code:10,Reason:40,NodeList:40',
    )
    expect(slurm({ accounting: true }).poll([one, submitted('13')]).command).toEqual([
      'sh',
      '-c',
      'squeue --noheader --array --states=all --jobs=12,13 --Format=JobArrayID:30,State:20,exit_code:10,Reason:40,NodeList:40 2>&1; code=$?; ' +
        `echo "--"; env 'SLURM_BITSTR_LEN=0' sacct -X --noheader --parsable2 --jobs=12,13 --format=JobID,State,ExitCode,NodeList || exit "$code"`,
    ])
  })

  it('for PBS', () => {
    expect(words(pbs())).toEqual([
      'qsub study.sh',
      'qstat 12',
      'qdel 12',
      'qdel 12 12',
      'qhold 12',
      'qrls 12',
      'qstat -x -f -F json 12',
      'qstat -x -f -F json',
      'pbsnodes -a -F json',
      'qsub -I -l walltime=00:01:00',
      'qsub -I -l walltime=01:00:00',
    ])
    expect(pbs().why(one).nothing?.(failing('qstat: Unknown Job Id 12.host'))).toBe(false)
  })

  it('for Torque, and what its imitation leaves to Slurm', () => {
    const own = [
      'qsub study.sh',
      'qstat 12',
      'qdel 12',
      'qdel -t 0-1,7 12',
      'qhold 12',
      'qrls 12',
      'qstat -f -1 12',
      'qstat -f -1',
      'pbsnodes -a',
      'qsub -I -l walltime=00:01:00',
      'qsub -I -l walltime=01:00:00',
    ]
    expect(words(torque({ onSlurm: false }))).toEqual(own)
    expect(torque({ onSlurm: false }).poll([one]).command.join(' ')).toBe('qstat -f -1 -t 12')
    const imitation = words(torque({ onSlurm: true }))
    expect([3, 6, 7].map((at) => imitation[at])).toEqual([
      'scancel 12_[0-1,7]',
      'scontrol show job 12',
      'squeue --noheader --me --states=all --format=%F|%T|%r|%Z|%j',
    ])
  })

  it('for HTCondor', () => {
    const [submit, ...others] = words(htcondor())
    expect(submit).toBe('condor_submit study.sub')
    expect(others.filter((_, at) => at !== 6)).toEqual([
      'condor_q 12',
      'condor_rm 12',
      'condor_rm -constraint ClusterId == 12 && (TaskId == 0 || TaskId == 1 || TaskId == 7)',
      'condor_hold 12',
      'condor_release 12',
      'condor_q -better-analyze 12',
      'condor_status -json -attributes Machine,State,Activity,TotalCpus,Cpus,TotalMemory',
      'condor_submit -interactive',
      'condor_submit -interactive',
    ])
    const both = 'condor_q -json -attributes "$0" "$@" && echo "--" && condor_history -json -attributes "$0" "$@"'
    const { command } = htcondor().queue('you')
    expect(command.slice(0, 3)).toEqual(['sh', '-c', both])
    const asked =
      'ClusterId,TaskId,DAGNodeName,JobStatus,LastJobStatus,ExitCode,ExitBySignal,ExitSignal,HoldReason,HoldReasonCode,RemoveReason,RemoteHost,LastRemoteHost'
    expect(command.slice(3)).toEqual([`${asked},JobBatchName,Iwd`, '-constraint', 'Owner == "you"'])
    expect(htcondor().poll([one]).command.slice(3)).toEqual([asked, '12'])
    expect(() => htcondor().why(one).parse('-- Schedd: login : <127.0.0.1:9618>\n\n')).toThrow('an analysis of the job')
    expect(htcondor().why(one).parse('-- Schedd: login : <127.0.0.1:9618>\nHeld\n')).toBe('Held')
  })
})

describe('a job that asks for little', () => {
  it.each<[Dialect, string[]]>([
    [slurm({ accounting: true }), ['#SBATCH --job-name=study', '#SBATCH --output=study.log']],
    [pbs(), ['#PBS -N study', '#PBS -l select=1:ncpus=1', '#PBS -j oe', '#PBS -o study.log']],
    [torque({ onSlurm: false }), ['#PBS -N study', '#PBS -l nodes=1:ppn=1', '#PBS -j oe', '#PBS -o study.log']],
  ])('has a short header: %#', (dialect, lines) => {
    expect(headerOf(dialect, {})).toEqual(lines)
    expect(headerOf(dialect, { dependencies: [] })).toEqual(lines)
    expect(scriptOf(dialect)).not.toContain('TASK_ID')
    expect(scriptOf(dialect, { array: [1] })).toMatch(
      /^TASK_ID=\$(SLURM_ARRAY_TASK_ID|PBS_ARRAY_INDEX|PBS_ARRAYID); export TASK_ID$/m,
    )
    const not = { [dialect.name]: 'r n', slurm: '#SBATCH --no-requeue' }[dialect.name]
    expect(headerOf(dialect, { requeue: false })?.join()).toContain(not)
  })

  it('has a short description for HTCondor, with a condition for each reason to remove it', () => {
    const lines = (more: Partial<JobDescription>) =>
      htcondor()
        .files({ ...job, ...more })[0]
        ?.text.split('\n')
    expect(lines({ inputs: [] })).toEqual([
      'universe = vanilla',
      'executable = study.sh',
      'batch_name = study',
      'log = study.log',
      'should_transfer_files = IF_NEEDED',
      'when_to_transfer_output = ON_EXIT',
      'queue',
      '',
    ])
    const removed = 'periodic_remove = (JobStatus == 1 && NumJobStarts > 0)'
    expect(lines({ requeue: false })).toContain(removed)
    expect(lines({ requeue: false, resources: { walltimeSeconds: 60 } })).toContain(
      'periodic_remove = (JobStatus == 2 && time() - EnteredCurrentStatus > 60) || (JobStatus == 1 && NumJobStarts > 0)',
    )
    expect(lines({ queue: 'long' })).toContain('requirements = Pool == "long"')
  })

  it('of Slurm shares the cores of a node among its ranks, and is warned by Slurm itself', () => {
    const dialect = slurm({ accounting: true })
    const share = (resources: JobDescription['resources']) =>
      headerOf(dialect, { ...(resources && { resources }) })?.filter((line) => /tasks|cpus/.test(line))
    expect(share({ cores: 1, ranksPerNode: 2 })).toEqual(['#SBATCH --ntasks-per-node=2', '#SBATCH --cpus-per-task=1'])
    expect(share({ cores: 5, ranksPerNode: 2 })).toEqual(['#SBATCH --ntasks-per-node=2', '#SBATCH --cpus-per-task=2'])
    expect(share({ cores: 5, nodes: 1 })).toEqual(['#SBATCH --ntasks-per-node=1', '#SBATCH --cpus-per-task=5'])
    expect(share({ cores: 5 })).toEqual(['#SBATCH --cpus-per-task=5'])
    const warned = { resources: { walltimeSeconds: 60 }, warnSeconds: 10 }
    expect(scriptOf(dialect, warned)).not.toContain('date +%s')
    expect(scriptOf(pbs(), warned)).toContain('date +%s')
  })
})

describe("a job's id", () => {
  it.each([
    ['slurm', slurm({ accounting: true }), '123\n', '123'],
    ['slurm of a federation', slurm({ accounting: true }), '123;cluster\n', '123'],
    ['slurm with a greeting before it', slurm({ accounting: true }), 'Welcome!\n123\n', '123'],
    ['slurm with a number before it', slurm({ accounting: true }), '42\n123\n', '123'],
    ['pbs with a number before it', pbs(), '42\n123.host\n', '123'],
    ['pbs with a number after it', pbs(), '42\n1584224.host\n42\n', '1584224'],
    ['pbs with a version before it', pbs(), '2.1\n1584224.host\n', '1584224'],
    ['pbs', pbs(), '1584224.host.domain\n', '1584224'],
    ['pbs, an array', pbs(), '1584224[].host.domain\n', '1584224[]'],
    ['torque', torque({ onSlurm: false }), '12[].host\n', '12[]'],
    ["slurm's torque", torque({ onSlurm: true }), '12\n', '12'],
    ['htcondor', htcondor(), 'Submitting job(s)....\n4 job(s) submitted to cluster 123.\n', '123'],
  ])('of %s', (_, dialect, printed, id) => {
    expect(dialect.submit(job).parse(printed)).toBe(id)
  })

  it.each(all.map((dialect) => [dialect.title, dialect] as const))(
    'that no version of %s prints is an error with what came',
    (_, dialect) => {
      for (const printed of ['<html>502', 'Please change your password']) {
        expect(() => dialect.submit(job).parse(printed)).toThrow(new RegExp(`^\\w+ printed "${printed}"; expected `))
      }
      expect(() => dialect.submit(job).parse('\n')).toThrow(/^\w+ printed nothing; expected /)
      expect(() => dialect.submit(job).parse('x '.repeat(300))).toThrow(/^\w+ printed "(x ){100}"; expected /)
    },
  )
})

/** squeue's columns, as Slurm 22.05 printed them. */
const queueLine = (id: string, state: string, code: string, node = '', reason = 'None') =>
  `${id.padEnd(30)}${state.padEnd(20)}${code.padEnd(10)}${reason.padEnd(40)}${node.padEnd(40)}\n`

describe('Slurm without accounting', () => {
  const dialect = slurm({ accounting: false })
  const read = (text: string) => dialect.poll([submitted('1')]).parse(text)

  it('asks about a thousand jobs with one command', () => {
    const jobs = Array.from({ length: 1000 }, (_, at) => submitted(String(at)))
    const { command } = dialect.poll(jobs)
    expect(command.slice(0, 4)).toEqual(['squeue', '--noheader', '--array', '--states=all'])
    expect(command[4]?.split(',')).toHaveLength(1000)
  })

  it('reads squeue: exit codes as wait() gives them, nodes, and why jobs wait', () => {
    // Recorded from Slurm 22.05.8, its fields narrowed.
    const text = [
      queueLine('8', 'CANCELLED', '0', '', 'DependencyNeverSatisfied'),
      queueLine('1_0', 'COMPLETED', '0', 'n1'),
      queueLine('1_2', 'FAILED', '512', 'n2', 'NonZeroExitCode'),
      queueLine('9', 'FAILED', '9', 'n1', 'RaisedSignal:9(Killed)'),
      // With a core dump.
      queueLine('10', 'FAILED', '139', 'n1', 'RaisedSignal:11(Segmentation_fault)'),
      queueLine('7', 'PENDING', '0', '', 'JobHeldUser'),
      queueLine('11', 'PENDING', '0', '', 'launch failed requeued held'),
      queueLine('12', 'PENDING', '0', '', 'job_requeued_in_held_state'),
      queueLine('1_4', 'PENDING', '0', '', 'Resources'),
      queueLine('1_7', 'RUNNING', '0', 'n[1-2]'),
    ].join('')
    expect(read(text)).toEqual([
      { id: '8', state: 'cancelled', reason: 'DependencyNeverSatisfied' },
      { id: '1', task: 0, state: 'completed', exitCode: 0, node: 'n1' },
      { id: '1', task: 2, state: 'failed', exitCode: 2, node: 'n2', reason: 'NonZeroExitCode' },
      { id: '9', state: 'failed', signal: '9', node: 'n1', reason: 'RaisedSignal:9(Killed)' },
      { id: '10', state: 'failed', signal: '11', node: 'n1', reason: 'RaisedSignal:11(Segmentation_fault)' },
      { id: '7', state: 'held', reason: 'JobHeldUser' },
      { id: '11', state: 'held', reason: 'launch failed requeued held' },
      { id: '12', state: 'held', reason: 'job_requeued_in_held_state' },
      { id: '1', task: 4, state: 'queued', reason: 'Resources' },
      { id: '1', task: 7, state: 'running', node: 'n[1-2]' },
    ])
  })

  it('reads a whole range of waiting tasks in one line', () => {
    expect(read(queueLine('123_[0-3,7%2]', 'PENDING', '0')).map(({ id, task }) => `${id}_${task}`)).toEqual(
      [0, 1, 2, 3, 7].map((task) => `123_${task}`),
    )
  })

  it.each([
    ['CANCELLED', 'cancelled'],
    ['TIMEOUT', 'timed out'],
    ['DEADLINE', 'timed out'],
    ['OUT_OF_MEMORY', 'out of memory'],
    ['NODE_FAIL', 'node failed'],
    ['BOOT_FAIL', 'node failed'],
    // Not the end: Slurm restarts it.
    ['REQUEUED', 'queued'],
    ['PREEMPTED', 'queued'],
    ['COMPLETING', 'running'],
    ['SUSPENDED', 'running'],
    ['CONFIGURING', 'queued'],
    ['REQUEUE_FED', 'queued'],
    ['SPECIAL_EXIT', 'held'],
    ['REQUEUE_HOLD', 'held'],
    ['RESV_DEL_HOLD', 'held'],
    ['RESIZING', 'running'],
    ['SIGNALING', 'running'],
    ['STAGE_OUT', 'running'],
    ['STOPPED', 'running'],
    ['REVOKED', 'cancelled'],
    // Cut off by a narrow column.
    ['COMPLETED+', 'completed'],
    ['NEVER_HEARD_OF', 'unknown'],
  ])('takes %s for %s', (word, state) => {
    expect(read(queueLine('1', word, '0'))).toMatchObject([{ state }])
  })

  it('reads every row by itself: a bad one is unknown, with its text, and hides no other', () => {
    const rows = [
      'Welcome to the cluster\n42\n',
      queueLine('1', 'RUNNING', '0', `n[${Array.from({ length: 20 }, (_, at) => 2 * at + 1)}]`),
      queueLine('2', 'FAILED', 'oops', 'n1'),
      queueLine('3', 'LAUNCHING_ROCKETS', '0'),
    ]
    expect(read(rows.join(''))).toEqual([
      { id: '42', state: 'unknown', unread: '42' },
      { id: '1', state: 'running', node: 'n[1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35,37,39]' },
      { id: '2', state: 'unknown', unread: '2 FAILED oops None', node: 'n1' },
      { id: '3', state: 'unknown', unread: '3 LAUNCHING_ROCKETS 0:0 None' },
    ])
  })

  it('takes "Invalid job id" for an empty list, and garbage for an error', () => {
    expect(dialect.poll([submitted('1')]).nothing?.(failing('slurm_load_jobs error: Invalid job id specified'))).toBe(
      true,
    )
    expect(read('')).toEqual([])
    for (const rubbish of ['<html>502 Bad Gateway', '1_0 RUNNING', queueLine('one', 'RUNNING', '0')]) {
      expect(() => read(rubbish)).toThrow(/^squeue printed ".*; expected /)
    }
  })

  it('says in its own words why a job waits, and what state its nodes are in', () => {
    // Recorded from Slurm 22.05.8, shortened.
    const shown =
      'JobId=8 JobName=dep\n   Priority=4294901758 Nice=0\n   JobState=PENDING Reason=Dependency Dependency=afterok:7(unfulfilled)\n   Requeue=1\n'
    expect(dialect.why(submitted('8')).parse(shown)).toBe(
      'PENDING, reason Dependency, waits for afterok:7(unfulfilled)',
    )
    expect(dialect.why(submitted('8')).parse(shown.replace('afterok:7(unfulfilled)', '(null)'))).toBe(
      'PENDING, reason Dependency',
    )
    // In a name, which readers choose.
    expect(dialect.why(submitted('8')).parse(shown.replace('=dep', '=aJobState=DONE'))).toMatch(/^PENDING, /)
    expect(dialect.why(submitted('8')).parse('JobState=PENDING')).toBe('PENDING, reason not given')
    expect(
      dialect
        .nodes()
        .parse(
          'n1|idle|0/2/0/2|12052|none\nn1|idle|0/2/0/2|12052|none\nn2|down*|0/0/2/2|12052|Not responding\nn3|mixed|1/1/0/2|500|\n',
        ),
    ).toEqual([
      { name: 'n1', state: 'free', cores: 2, coresInUse: 0, memoryMb: 12052, detail: 'idle' },
      { name: 'n2', state: 'down', cores: 2, coresInUse: 0, memoryMb: 12052, detail: 'down*, Not responding' },
      { name: 'n3', state: 'free', cores: 2, coresInUse: 1, memoryMb: 500, detail: 'mixed' },
    ])
    // Asleep, waking up, going to sleep.
    const saving = 'n1|idle~|0/2/0/2|N/A|none\nn2|mixed#|1/1/0/2|500|none\nn3|down$|0/0/2/2|500|none\n'
    const read = dialect.nodes().parse(saving)
    expect(read.map(({ state }) => state)).toEqual(['free', 'free', 'down'])
    expect(read[0]).not.toHaveProperty('memoryMb')
  })
})

describe('Slurm with accounting', () => {
  // The form of sacct --parsable2 as its manual gives it, where it does not say that it is recorded.
  const dialect = slurm({ accounting: true })
  const read = (queue: string, accounting: string) => dialect.poll([submitted('1')]).parse(`${queue}--\n${accounting}`)

  it('trusts the queue for what it lists, and accounting for older jobs', () => {
    const statuses = read(
      queueLine('2', 'COMPLETED', '0', 'n1'),
      '1|CANCELLED by 1000|0:15|n1\n2|RUNNING|0:0|n1\n3_[0-1]|PENDING|0:0|None assigned\n',
    )
    expect(statuses).toEqual([
      { id: '2', state: 'completed', exitCode: 0, node: 'n1' },
      { id: '1', state: 'cancelled', node: 'n1', reason: 'CANCELLED by 1000' },
      { id: '3', task: 0, state: 'queued', reason: 'PENDING', otherwise: 'failed' },
      { id: '3', task: 1, state: 'queued', reason: 'PENDING', otherwise: 'failed' },
    ])
    // Task by task.
    expect(read(queueLine('3_1', 'RUNNING', '0'), '3_0|COMPLETED|0:0|n1\n3_1|PENDING|0:0|\n')).toMatchObject([
      { task: 1, state: 'running' },
      { task: 0, state: 'completed' },
    ])
  })

  it('reads what 22.05.8 has printed', () => {
    const recorded = `1_0|COMPLETED|0:0|n1
1_1|FAILED|3:0|n2
1_3|FAILED|0:9|n2
5_0|CANCELLED by 0|0:0|n1
5_2|RUNNING|0:0|n2
5_[4-5]|PENDING|0:0|None assigned
`
    const open = { otherwise: 'failed' }
    expect(read('', recorded)).toEqual([
      { id: '1', task: 0, state: 'completed', exitCode: 0, node: 'n1' },
      { id: '1', task: 1, state: 'failed', exitCode: 3, node: 'n2' },
      { id: '1', task: 3, state: 'failed', signal: '9', node: 'n2' },
      { id: '5', task: 0, state: 'cancelled', node: 'n1', reason: 'CANCELLED by 0' },
      { id: '5', task: 2, state: 'running', node: 'n2', reason: 'RUNNING', ...open },
      { id: '5', task: 4, state: 'queued', reason: 'PENDING', ...open },
      { id: '5', task: 5, state: 'queued', reason: 'PENDING', ...open },
    ])
    // Recorded, too: it had exited with 4 while slurmdbd was down.
    expect(read('', '2|FAILED|0:0|n1\n')).toEqual([{ id: '2', state: 'failed', node: 'n1' }])
  })

  it('tells exit codes from signals', () => {
    expect(read('', '1|FAILED|2:0|n1\n4|FAILED|0:9|n1\n5|OUT_OF_MEMORY|0:125|n1\n')).toEqual([
      { id: '1', state: 'failed', exitCode: 2, node: 'n1' },
      { id: '4', state: 'failed', signal: '9', node: 'n1' },
      { id: '5', state: 'out of memory', node: 'n1' },
    ])
  })

  it('takes a word that is no state for unknown, even one that every object has', () => {
    for (const word of ['constructor', '__proto__', 'toString']) {
      expect(read('', `61|${word}|0:0|n1\n`)).toMatchObject([{ id: '61', state: 'unknown' }])
      expect(slurm({ accounting: true }).nodes().parse(`n1|${word}|0/2/0/2|10|none\n`)).toMatchObject([
        { name: 'n1', state: 'unknown' },
      ])
    }
  })

  it('takes a list of more tasks than any array has for the array, and does not count them all', () => {
    for (const list of ['0-9000000', '0-99999,100000', '0-90000,0-90000', '0-99999999999999']) {
      expect(read('', `61_[${list}]|PENDING|0:0|\n`)).toMatchObject([{ id: '61', state: 'queued' }])
    }
    expect(read('', '61_[0-99999]|PENDING|0:0|\n')).toHaveLength(100_000)
  })

  const odd = '1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41'
  it('asks for whole lists of tasks, and takes one that was cut for the rest of the array', () => {
    expect(dialect.poll([submitted('61')]).command.at(-1)).toContain("env 'SLURM_BITSTR_LEN=0' sacct -X ")
    for (const cut of [`${odd},...`, `${odd},...%4`]) {
      expect(
        read('', `61_0|COMPLETED|0:0|n1\n61_[${cut}]|PENDING|0:0|None assigned\n62|RUNNING|0:0|n1\n`),
      ).toMatchObject([
        { id: '61', task: 0, state: 'completed' },
        { id: '61', state: 'queued' },
        { id: '62', state: 'running' },
      ])
    }
  })

  it('does not wait for ever for a job that only accounting still has in the queue', () => {
    const job = submitted('7')
    const end = (listed: JobStatus[], codes: [string, number][] = []) => {
      const missing = new Map<string, number>()
      const at = (now: number) =>
        settle([job], listed, new Map(codes), missing, { now, patienceMs: 1_000, scheduler: 'Slurm' })[0]
      return [at(0), at(999), at(1_000)].map((status) => status?.state)
    }
    const preempted = '7|PREEMPTED|0:15|n1\n'
    expect(end(read('', preempted))).toEqual(['queued', 'queued', 'cancelled'])
    expect(end(read('', '7|RUNNING|0:0|n1\n'))).toEqual(['running', 'running', 'failed'])
    for (const open of ['PENDING', 'CONFIGURING', 'REQUEUED', 'COMPLETING', 'RESIZING', 'STOPPED', 'STAGE_OUT']) {
      expect(end(read('', `7|${open}|0:0|n1\n`)).at(-1)).toBe('failed')
      expect(end(read('', `7|${open}|0:0|n1\n`), [['/home/you/run/study.exit', 0]]).at(-1)).toBe('completed')
    }
    expect(end(read('slurm_load_jobs error: Invalid job id specified\n', preempted)).at(-1)).toBe('cancelled')
    expect(end(read('', preempted), [['/home/you/run/study.exit', 143]])).toEqual(['failed', 'failed', 'failed'])
    // Its queue has it, or did not answer.
    expect(end(read(queueLine('7', 'PREEMPTED', '15'), preempted))).toEqual(['queued', 'queued', 'queued'])
    const silent = 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n'
    expect(end(read(silent, preempted))).toEqual(['queued', 'queued', 'queued'])
    const partly = `${queueLine('8', 'RUNNING', '0')}squeue: error: Unable to contact slurm controller\n`
    expect(end(read(partly, preempted))).toEqual(['queued', 'queued', 'queued'])
  })

  it('takes the first part of a job of several kinds of nodes for the job', () => {
    const rows = '7+0|FAILED|3:0|n1\n7+1|COMPLETED|0:0|n2\n'
    expect(read('', rows)).toEqual([{ id: '7', state: 'failed', exitCode: 3, node: 'n1' }])
  })

  it('keeps a job whose row cannot be read, with the text, until its exit-code file decides', () => {
    const listed = read('', '1|COMPLETED|x|n1\n5|FAILED|3:0|n1\n')
    expect(listed[1]).toMatchObject({ id: '5', state: 'failed', exitCode: 3 })
    const at = (now: number, codes: [string, number][] = []) =>
      settle([submitted('1')], listed, new Map(codes), new Map(), { now, patienceMs: 0, scheduler: 'Slurm' })
    expect(at(1e9)).toEqual([{ id: '1', state: 'unknown', node: 'n1', reason: 'Slurm says: 1 COMPLETED x' }])
    expect(at(1e9, [['/home/you/run/study.exit', 0]])).toEqual([
      { id: '1', state: 'completed', exitCode: 0, node: 'n1' },
    ])
  })

  it('has the answer of accounting where the queue prints only words', () => {
    for (const words of [
      'Maintenance on Sunday\n',
      'Maintenance --\n',
      'Hello\nslurm_load_jobs error: Invalid job id specified\n',
    ]) {
      expect(read(words, '1|COMPLETED|0:0|n1\n')).toMatchObject([{ id: '1', state: 'completed' }])
    }
    const forgotten = 'Hello\nslurm_load_jobs error: Invalid job id specified\n'
    expect(read(forgotten, '1|RUNNING|0:0|n1\n')).toMatchObject([{ state: 'running', otherwise: 'failed' }])
    // Words are no empty list.
    expect(read('Maintenance on Sunday\n', '1|RUNNING|0:0|n1\n')).toEqual([{ id: '1', state: 'running', node: 'n1' }])
  })

  it('refuses half an answer', () => {
    for (const rubbish of ['', '1|RUNNING|0:0|n1\n', '--\n1|RUNNING', '--\n<html>|RUNNING|0:0|n1\n', '--\n\n--\n']) {
      expect(() => dialect.poll([submitted('1')]).parse(rubbish)).toThrow('expected')
    }
  })
})

/** In the form of `qstat -f -F json` of PBS Professional's reference guide. */
const pbsDocument = (jobs: Record<string, object>) =>
  JSON.stringify({ timestamp: 1479277336, pbs_version: '19.1.1', pbs_server: 'host', Jobs: jobs })

describe('PBS', () => {
  const dialect = pbs()

  it('reads states, exit statuses and subjobs, whatever host qstat shows', () => {
    const { parse, command } = dialect.poll([submitted('1584224'), submitted('9[]', [3, 5, 9])])
    expect(command).toEqual(['qstat', '-x', '-t', '-f', '-F', 'json', '1584224', '9[]'])
    const statuses = parse(
      pbsDocument({
        '1584224.host': { job_state: 'R', exec_host: 'n1/0*2+n2/0*2' },
        '9[].host.dom': { job_state: 'B' },
        '9[0].host.dom': { job_state: 'X', Exit_status: 0, exec_host: 'n1/0' },
        '9[1].host.dom': { job_state: 'F', Exit_status: 2 },
        '9[2].host.dom*': { job_state: 'Q', comment: 'Not Running: Insufficient amount of resource: ncpus' },
      }),
    )
    expect(statuses).toEqual([
      { id: '1584224', state: 'running', node: 'n1,n2' },
      { id: '9[]', state: 'running' },
      { id: '9[]', task: 3, state: 'completed', exitCode: 0, node: 'n1' },
      { id: '9[]', task: 5, state: 'failed', exitCode: 2 },
      { id: '9[]', task: 9, state: 'queued', reason: 'Not Running: Insufficient amount of resource: ncpus' },
    ])
  })

  it.each([
    [
      { job_state: 'F', Exit_status: -29, comment: 'Job ended' },
      { state: 'timed out', reason: 'Job ended, exit status -29' },
    ],
    [
      { job_state: 'F', Exit_status: -1 },
      { state: 'failed', reason: 'exit status -1' },
    ],
    [
      { job_state: 'F', Exit_status: 256 },
      { state: 'failed', exitCode: 256 },
    ],
    [
      { job_state: 'F', Exit_status: 257 },
      { state: 'failed', signal: '1' },
    ],
    [{ job_state: 'F', Exit_status: -27 }, { state: 'out of memory' }],
    [{ job_state: 'F', Exit_status: -4 }, { state: 'node failed' }],
    [
      { job_state: 'F', Exit_status: 271 },
      { state: 'cancelled', signal: '15' },
    ],
    [
      { job_state: 'F', Exit_status: 265 },
      { state: 'failed', signal: '9' },
    ],
    [{ job_state: 'F', substate: 91 }, { state: 'cancelled' }],
    // It has ended, and nobody says how: the exit-code file will.
    [{ job_state: 'F' }, { state: 'unknown' }],
    [{ job_state: 'E', Exit_status: 0 }, { state: 'running' }],
    [{ job_state: 'H', Hold_Types: 'u' }, { state: 'held' }],
    [{ job_state: 'H', Hold_Types: 's', depend: 'afterok:1' }, { state: 'queued' }],
    [{ job_state: 'H', Hold_Types: 'us', depend: 'afterok:1' }, { state: 'held' }],
    [{ job_state: 'M' }, { state: 'unknown' }],
    [{ job_state: 'constructor' }, { state: 'unknown', unread: 'job_state constructor' }],
    [{ job_state: '__proto__' }, { state: 'unknown', unread: 'job_state __proto__' }],
  ])('reads %j', (attributes, status) => {
    expect(dialect.poll([submitted('1')]).parse(pbsDocument({ '1.host': attributes }))).toMatchObject([
      { id: '1', ...status },
    ])
  })

  it('turns an array that is not a range into one, and finds its tasks again', () => {
    expect(headerOf(pbs(), { array: [13, 57] })).toContain('#PBS -J 13-57:44')
    expect(headerOf(pbs(), { array: [1, 3, 5] })).toContain('#PBS -J 1-5:2')
    expect(headerOf(pbs(), { array: [13, 20, 57] })).toContain('#PBS -J 0-2')
    expect(headerOf(pbs(), { array: [13] })).toContain('#PBS -J 13-14:2')
    expect(scriptOf(pbs(), { array: [13, 20, 57] })).toContain(
      `TASK_ID=$(echo 13 20 57 | cut -d ' ' -f "$((PBS_ARRAY_INDEX + 1))")`,
    )
    expect(pbs().cancel(submitted('1[]', [13, 20, 57]), [13, 20])).toEqual(['qdel', '1[0-1]'])
    expect(pbs().cancel(submitted('1[]', [1, 2, 3, 4]), [1, 2, 4])).toEqual(['qdel', '1[1-2]', '1[4]'])
    // The numbers of a range are its own.
    const { parse } = pbs().poll([submitted('1[]', [2, 3, 4])])
    expect(parse(pbsDocument({ '1[2].host': { job_state: 'R' } }))).toMatchObject([{ task: 2 }])
  })

  const variables = (text: string) => `{"pbs_version":"19.1.1","Jobs":{
    "53.host":{"Job_Name":"theirs","Job_Owner":"she@login","job_state":"F","Exit_status":3,"Variable_List":{${text}}},
    "54.host":{"Job_Name":"study","Job_Owner":"you@login","job_state":"F","Exit_status":7,"Variable_List":{
      "PBS_O_WORKDIR":"/home/you/run"}}}}\n`
  it.each([
    String.raw`"A":"\'\"quoted\"\'","B":"ab\,c"`,
    '"RANK":005,"HEX":0x1F,"NOT":nan,"PLUS":+1',
    '"F":"() {\n\techo 1\n}"',
    String.raw`"F":"() { echo "hello" \"","C":"C:\"`,
    String.raw`"F":"() { echo "hello" \"","job_state":"Q"`,
  ])('reads the jobs beside one with the variables %s', (text) => {
    const { parse } = dialect.poll([submitted('53'), submitted('54')])
    expect(parse(variables(text))).toEqual([
      { id: '53', state: 'failed', exitCode: 3 },
      { id: '54', state: 'failed', exitCode: 7 },
    ])
    const listed = { id: '54', name: 'study', state: 'failed', folder: '/home/you/run' }
    expect(dialect.queue('you').parse(variables(text))).toEqual([listed])
  })

  it('leaves the end to the exit-code file where the exit status is no number', () => {
    for (const status of [null, 'abc', 1.5]) {
      const document = pbsDocument({ '53.host': { job_state: 'F', Exit_status: status } })
      const listed = dialect.poll([submitted('53')]).parse(document)
      expect(listed).toMatchObject([{ id: '53', state: 'unknown' }])
      expect(listed[0]?.unread).toBe(status === null ? undefined : `exit status ${status}`)
      const codes = new Map([['/home/you/run/study.exit', 0]])
      const at = { now: 0, patienceMs: 0, scheduler: 'PBS' }
      expect(settle([submitted('53')], listed, codes, new Map(), at)).toMatchObject([{ state: 'completed' }])
    }
  })

  it('keeps a job of which nothing can be read as unknown, with the text', () => {
    const whole =
      '"54.host":{"job_state":"F","Exit_status":271,"Resource_List":{"cput":"60"},"resources_used":{"cput":"60"}}'
    const text = `{"pbs_version":"19.1.1","Jobs":{"53.host":{"Job_Name":"a"b"},${whole}}}`
    expect(dialect.poll([submitted('53')]).parse(text)).toMatchObject([
      { id: '53', state: 'unknown', unread: expect.stringContaining('"Job_Name":"a"b"') },
      { id: '54', state: 'timed out' },
    ])
  })

  it('lists a job, with its folder, of which not all can be read', () => {
    const job = '"Job_Owner":"you@login","job_state":"R","Job_Name":"study"'
    const variables = String.raw`"PBS_O_WORKDIR":"/home/you/run","F":"() { echo "hello" \"","C":"C:\"`
    const text = `{"pbs_version":"19.1.1","Jobs":{"53.host":{${job},"Variable_List":{${variables}}}}}`
    const listed = { id: '53', name: 'study', state: 'running', folder: '/home/you/run' }
    expect(dialect.queue('you').parse(text)).toEqual([listed])
  })

  it('reads the jobs and nodes beside one that is no object', () => {
    const text = '{"pbs_version":"19.1.1","Jobs":{"52.host":null,"53.host":"gone","54.host":{"job_state":"Q"}}}'
    expect(dialect.poll([submitted('54')]).parse(text)).toMatchObject([
      { id: '52', state: 'unknown', unread: 'null' },
      { id: '53', state: 'unknown', unread: '"gone"' },
      { id: '54', state: 'queued' },
    ])
    expect(dialect.queue('you').parse(text)).toEqual([])
    const noId = pbsDocument({ what: { Job_Owner: 'you@login', job_state: 'R' } })
    expect(dialect.queue('you').parse(noId)).toEqual([])
    const nodes = '{"pbs_version":"19.1.1","nodes":{"n1":null,"n2":{"state":"free"}}}'
    expect(dialect.nodes().parse(nodes)).toMatchObject([{ state: 'unknown' }, { state: 'free' }])
  })

  it('asks without the history where a site keeps none, and the exit-code file has the rest', () => {
    const own = pbs()
    const asked = own.poll([submitted('53')])
    expect(asked.command).toContain('-x')
    expect(asked.instead?.(failing('qstat: Unknown Job Id 53.host'))).toBeUndefined()
    const other = asked.instead?.(failing('qstat: PBS is not configured to maintain job history 53.host'))
    expect(other?.command).toEqual(['qstat', '-t', '-f', '-F', 'json', '53'])
    expect(other?.instead?.(failing('qstat: PBS is not configured to maintain job history'))).toBeUndefined()
    // From then on it knows.
    for (const { command } of [own.poll([submitted('53')]), own.queue('you'), own.why(submitted('53'))]) {
      expect(command).not.toContain('-x')
    }
    const over = 'qstat: 53.host Job has finished, use -x or -H to obtain historical job information'
    expect(own.poll([submitted('53')]).nothing?.(failing(over, 35))).toBe(true)
    expect(pbs().poll([submitted('53')]).command).toContain('-x')
  })

  it.each([
    [{ Resource_List: { walltime: '00:01:00' }, resources_used: { walltime: '00:01:02' } }, 'timed out'],
    [{ 'Resource_List.walltime': '01:00:00', 'resources_used.walltime': '01:00:00' }, 'timed out'],
    [{ comment: 'job killed: walltime 65 exceeded limit 60' }, 'timed out'],
    [{ Resource_List: { walltime: '00:01:00' }, resources_used: { walltime: '00:00:59' } }, 'cancelled'],
    [{ Resource_List: { walltime: '00:01:00' }, resources_used: { walltime: '00:01:02' }, substate: 91 }, 'cancelled'],
    [{ Resource_List: {}, resources_used: { walltime: '00:01:02' } }, 'cancelled'],
    [{ Resource_List: null, resources_used: 'much' }, 'cancelled'],
    [
      { Resource_List: { mem: '1mb', cput: '60' }, resources_used: { mem: '2000kb', cput: '00:00:59' } },
      'out of memory',
    ],
    [{ Resource_List: { cput: '60' }, resources_used: { cput: '00:01:00' } }, 'timed out'],
    [{ 'Resource_List.vmem': '1gb', 'resources_used.vmem': '1048577kb' }, 'out of memory'],
    [{ Resource_List: { pmem: '1mb' }, resources_used: { pmem: '1025kb' } }, 'out of memory'],
    [{ Resource_List: { pvmem: '1mb' }, resources_used: { pvmem: '1025kb' } }, 'out of memory'],
    [{ Resource_List: { mem: '1mb' }, resources_used: { mem: '1010kb' } }, 'cancelled'],
    [{ Resource_List: { mem: '2000kb' }, resources_used: { mem: '2000kb' } }, 'cancelled'],
    [{ Resource_List: { mem: '1mb' }, resources_used: { mem: '2000kb' }, substate: 91 }, 'cancelled'],
    [{ comment: 'job killed: mem 2000kb exceeded limit 1000kb' }, 'out of memory'],
    [{ comment: 'vmem job total 2000 kb exceeded limit 1000 kb' }, 'out of memory'],
    [{ comment: 'cput 70.0 exceeded limit 60.0' }, 'timed out'],
  ])('takes the signal of a job with %j for: %s', (attributes, state) => {
    const document = pbsDocument({ '1.host': { job_state: 'F', Exit_status: 271, ...attributes } })
    expect(dialect.poll([submitted('1')]).parse(document)).toMatchObject([{ state, signal: '15' }])
  })

  it('takes an unknown job for an empty list, and broken JSON for an error', () => {
    expect(dialect.poll([submitted('1')]).nothing?.(failing('qstat: Unknown Job Id 1.host'))).toBe(true)
    for (const rubbish of ['', '{"Jobs":', '[]', '{}'])
      expect(() => dialect.poll([submitted('1')]).parse(rubbish)).toThrow('expected')
  })

  it('reads why a job waits, and the nodes', () => {
    const waiting = pbsDocument({
      '1.host': { job_state: 'Q', comment: 'Can Never Run: Insufficient amount of resource: ncpus (R: 100 A: 4 T: 4)' },
    })
    expect(dialect.why(submitted('1')).parse(waiting)).toBe(
      'state Q, Can Never Run: Insufficient amount of resource: ncpus (R: 100 A: 4 T: 4)',
    )
    expect(dialect.why(submitted('1')).parse(pbsDocument({ '1.host': { job_state: 'H', Hold_Types: 'n' } }))).toBe(
      'state H',
    )
    const nodes = {
      n1: { state: 'job-busy', resources_available: { ncpus: 2, mem: '4194304kb' }, resources_assigned: { ncpus: 2 } },
      n2: { state: 'state-unknown,down' },
    }
    expect(dialect.nodes().parse(JSON.stringify({ pbs_version: '19', nodes }))).toEqual([
      { name: 'n1', state: 'busy', cores: 2, coresInUse: 2, memoryMb: 4096, detail: 'job-busy' },
      { name: 'n2', state: 'down', cores: 0, coresInUse: 0, detail: 'state-unknown,down' },
    ])
    const states = { stale: 'down', provisioning: 'down', busy: 'busy', 'resv-exclusive': 'busy', sleep: 'unknown' }
    expect(Object.keys(states).map(nodeState)).toEqual(Object.values(states))
  })
})

describe('Torque', () => {
  // In the form of `qstat -f -1 -t` of Torque's manual.
  it('reads paragraphs', () => {
    const text = [
      'Job Id: 12[1].host.domain\n    Job_Name = study-1\n    job_state = C\n    exec_host = n1/0+n1/1\n    exit_status = 271\n\n',
      'Job Id: 12[2].host.domain\n    Job_Name = study-2\n    job_state = C\n    exit_status = -11\n\n',
      'Job Id: 12[3].host.domain\n    job_state = R\n    exec_host = n2/0\n\n',
      'Job Id: 13.host.domain\n    job_state = C \n    exit_status = -10\n\n',
      'Job Id: 14.host.domain\n    job_state = C\n    exit_status = -4\n\n',
    ].join('')
    expect(
      torque({ onSlurm: false })
        .poll([submitted('12[]'), submitted('13')])
        .parse(text),
    ).toEqual([
      { id: '12[]', task: 1, state: 'cancelled', signal: '15', node: 'n1' },
      { id: '12[]', task: 2, state: 'timed out', reason: 'exit status -11' },
      { id: '12[]', task: 3, state: 'running', node: 'n2' },
      { id: '13', state: 'out of memory', reason: 'exit status -10' },
      { id: '14', state: 'node failed', reason: 'exit status -4' },
    ])
    const { parse, nothing } = torque({ onSlurm: false }).poll([submitted('13')])
    expect(() => parse('<html>')).toThrow('qstat printed')
    expect(parse('\n')).toEqual([])
    expect(nothing?.(failing('qstat: Unknown Job Id 13.host'))).toBe(true)
    expect(nothing?.(failing('qstat: cannot connect to server'))).toBe(false)
  })

  it('says why a job waits', () => {
    const { parse } = torque({ onSlurm: false }).why(submitted('13'))
    expect(parse('Job Id: 13.host\n    job_state = H\n    Hold_Types = u\n')).toBe('state H, hold types u')
    expect(() => parse('')).toThrow('qstat printed nothing; expected one job')
  })

  it('waits for other jobs, and tells the task its number in its own words', () => {
    const lines = headerOf(torque({ onSlurm: false }), waits)
    expect(lines).toContain('#PBS -W depend=afterok:7,afternotok:8,afterany:9')
    expect(scriptOf(torque({ onSlurm: false }), { array: [1] })).toContain('TASK_ID=$PBS_ARRAYID;')
    expect(scriptOf(torque({ onSlurm: true }), { array: [1] })).toContain('TASK_ID=$SLURM_ARRAY_TASK_ID;')
  })

  it('reads the paragraphs beside one that it cannot read', () => {
    const text =
      'Good morning\nJob Id: 1.host\n    Job_Name = a\n\nJob Id: what\n    job_state = R\n\nJob Id: 2.host\n    job_state = R\n\n'
    expect(
      torque({ onSlurm: false })
        .poll([submitted('1')])
        .parse(text),
    ).toEqual([
      { id: '1', state: 'unknown', unread: '1.host Job_Name = a' },
      { id: '2', state: 'running' },
    ])
    const nodes = 'n1\n     state = free\n     np = 2\n     note = down\nfor cleaning\nn2\n     state = free\n'
    expect(torque({ onSlurm: false }).nodes().parse(nodes)).toMatchObject([{ name: 'n1', cores: 2 }, { name: 'n2' }])
  })

  /** Recorded from slurm-wlm-torque 22.05.8, shortened. The tasks of an array have numbers of their own. */
  const recorded = (id: number, name: string, state: string) =>
    `Job Id:\t${id}\n\tJob_Name = ${name}\n\tJob_Owner = root@localhost\n\tjob_state = ${state}\n\tqueue = practice\n\tqtime = Mon Nov 23 00:03:37 2026\n\texec_host = n1/1\n\tPriority = 4294901757\n\n`

  it("reads Slurm's imitation, in which an array is as alive as its liveliest task and nothing has an exit code", () => {
    const imitation = torque({ onSlurm: true })
    const own = imitation.submit({ ...job, array: [0, 1] }).command[2] ?? ''
    const { command, parse, nothing } = imitation.poll([
      submitted('12', [0, 1]),
      { ...submitted('20'), name: 'single' },
      { ...submitted('21'), name: 'too-large' },
    ])
    expect(command).toEqual(['qstat', '-f'])
    expect(
      parse(
        recorded(3, 'study', 'R') +
          // Of an earlier run in the same folder.
          recorded(11, own, 'R') +
          recorded(13, own, 'C') +
          recorded(14, 'study-0badf00d', 'R') +
          recorded(12, own, 'Q') +
          recorded(15, own, 'R').replace('n1', 'n2') +
          recorded(20, 'single', 'C') +
          // qstat has no letter for states such as OUT_OF_MEMORY: they are all final.
          recorded(21, 'too-large', 'U'),
      ),
    ).toEqual([
      { id: '12', state: 'running', node: 'n2' },
      { id: '20', state: 'unknown', node: 'n1' },
      { id: '21', state: 'unknown' },
    ])
    expect(parse('')).toEqual([])
    expect(parse(recorded(12, own, 'R'))).toMatchObject([{ id: '12', state: 'running' }])
    expect(parse(recorded(13, own, 'C') + recorded(12, own, 'Q'))).toMatchObject([{ id: '12', state: 'queued' }])
    // As printed where Perl does not know the locale.
    expect(nothing?.(failing('perl: warning: Setting locale failed.\n', 153))).toBe(true)
    expect(nothing?.(failing('', 1))).toBe(false)
    expect(nothing?.({ ...failing('', 153), stdout: recorded(13, own, 'C') })).toBe(false)
  })

  it('reads the nodes of both', () => {
    // The first recorded from slurm-wlm-torque, the second as in Torque's manual.
    const text =
      'n1\n    state = free\n    np = 2\n    ntype = cluster\n    status = rectime=1795392224,state=free,ncpus=2\n\nn2\n     state = job-exclusive\n     np = 4\n     jobs = 0-1/12.host,2/13.host, 3/14.host\n\nn3\n     state = free\n     status = ncpus=8\n'
    expect(torque({ onSlurm: true }).nodes().parse(text)).toEqual([
      { name: 'n1', state: 'free', cores: 2, coresInUse: 0, detail: 'free' },
      { name: 'n2', state: 'busy', cores: 4, coresInUse: 4, detail: 'job-exclusive' },
      { name: 'n3', state: 'free', cores: 8, coresInUse: 0, detail: 'free' },
    ])
  })
})

describe('HTCondor', () => {
  // ClassAds as the manual describes them.
  const read = (queue: object[], history: object[] = []) =>
    htcondor()
      .poll([submitted('5')])
      .parse(
        `${queue.length > 0 ? JSON.stringify(queue) : ''}\n--\n${history.length > 0 ? JSON.stringify(history) : ''}`,
      )

  it.each([
    [{ JobStatus: 1 }, { state: 'queued' }],
    [
      { JobStatus: 2, RemoteHost: 'slot1_2@n1' },
      { state: 'running', node: 'n1' },
    ],
    [
      { JobStatus: 2, RemoteHost: 'slot1@n1', LastRemoteHost: 'slot1@n2' },
      { state: 'running', node: 'n1' },
    ],
    [{ JobStatus: 6 }, { state: 'running' }],
    [
      { JobStatus: 7, RemoteHost: '', LastRemoteHost: 'slot1@n2' },
      { state: 'running', node: 'n2' },
    ],
    // It had to leave a node, and has not ended.
    [{ JobStatus: 1, ExitBySignal: true, ExitSignal: 9 }, { state: 'queued' }],
    [{ JobStatus: 1, ExitCode: 0 }, { state: 'queued' }],
    [
      { JobStatus: 4, ExitBySignal: false, ExitCode: 0, LastRemoteHost: 'slot1@n2' },
      { state: 'completed', exitCode: 0, node: 'n2' },
    ],
    [
      { JobStatus: 4, ExitBySignal: false, ExitCode: 13 },
      { state: 'failed', exitCode: 13 },
    ],
    [
      { JobStatus: 4, ExitBySignal: true, ExitSignal: 9 },
      { state: 'failed', signal: '9' },
    ],
    [
      { JobStatus: 5, HoldReasonCode: 1, HoldReason: 'via condor_hold' },
      { state: 'held', reason: 'via condor_hold' },
    ],
    [{ JobStatus: 5, HoldReasonCode: 34, HoldReason: 'memory' }, { state: 'out of memory' }],
    [{ JobStatus: 5, HoldReasonCode: 46 }, { state: 'timed out' }],
    [{ JobStatus: 5, HoldReasonCode: 47 }, { state: 'timed out' }],
    [{ JobStatus: 3, RemoveReason: 'via condor_rm (by user you)' }, { state: 'cancelled' }],
    [
      {
        JobStatus: 3,
        LastJobStatus: 2,
        RemoveReason: 'The job attribute PeriodicRemove expression … evaluated to TRUE',
      },
      { state: 'timed out' },
    ],
    [
      {
        JobStatus: 3,
        LastJobStatus: 1,
        RemoveReason: 'The job attribute PeriodicRemove expression … evaluated to TRUE',
      },
      { state: 'node failed' },
    ],
  ])('reads %j', (ad, status) => {
    expect(read([{ ClusterId: 5, TaskId: 3, ...ad }])).toEqual([
      expect.objectContaining({ id: '5', task: 3, ...status }),
    ])
    expect(read([], [{ ClusterId: 5, ...ad }])).toMatchObject([{ id: '5', ...status }])
  })

  it('prints nothing where there is nothing, and takes garbage for an error', () => {
    expect(read([])).toEqual([])
    for (const rubbish of [
      '',
      '[]',
      '[]\n--\n<html>',
      '{}\n--\n',
      '{"a":{"ClusterId":5},"b":1}\n--\n',
      '\n--\n\n--\n',
    ]) {
      expect(() =>
        htcondor()
          .poll([submitted('5')])
          .parse(rubbish),
      ).toThrow('expected')
    }
  })

  it('reads the jobs beside one that it cannot read', () => {
    const text =
      '[\n{\n  "HoldReason": "of "nobody""\n}\n,\n{\n  "ClusterId": 5,\n  "TaskId": 1,\n  "HoldReason": "a "b" c"\n}\n,\n{\n  "ClusterId": 6,\n  "JobStatus": 2\n}\n]\n--\n'
    expect(
      htcondor()
        .poll([submitted('5')])
        .parse(text),
    ).toMatchObject([
      { id: '5', task: 1, state: 'unknown', unread: expect.stringContaining('"a "b" c"') },
      { id: '6', state: 'running' },
    ])
  })

  it('reads a list below a greeting, with null in it, and in one line', () => {
    const { parse } = htcondor().poll([submitted('5')])
    expect(parse('Welcome [to] {this}\n[\n]\n--\nWelcome\n[null,{"ClusterId":5,"JobStatus":2}]\n')).toMatchObject([
      { id: '5', state: 'running' },
    ])
    expect(parse('[{"ClusterId":4,"HoldReason":"a "b" c"},{"ClusterId":5,"JobStatus":2}]\n--\n')).toMatchObject([
      { id: '4', state: 'unknown', unread: expect.stringContaining('"a "b" c"') },
      { id: '5', state: 'running' },
    ])
  })

  it('finds the nodes of a DAG by their names, and single tasks by theirs', () => {
    const ads = [
      { ClusterId: 7, JobStatus: 2 },
      { ClusterId: 8, DAGNodeName: 'A', JobStatus: 2 },
    ]
    expect(pollDag('7').parse(`${JSON.stringify(ads)}\n--\n`)).toMatchObject([{ id: '7' }, { id: '8', dagNode: 'A' }])
    expect(pollDag('7').parse(`${JSON.stringify(ads)}\n--\n`)[0]).not.toHaveProperty('dagNode')
    expect(pollDag('7').command.slice(-2)).toEqual(['-constraint', 'ClusterId == 7 || DAGManJobId == 7'])
    expect(htcondor().cancel(submitted('5', [1, 2]), [2])).toEqual([
      'condor_rm',
      '-constraint',
      'ClusterId == 5 && (TaskId == 2)',
    ])
  })

  it('counts the cores that are left on a machine', () => {
    const slots = [
      { Machine: 'n1', State: 'Unclaimed', Activity: 'Idle', TotalCpus: 4, Cpus: 1, TotalMemory: 512 },
      { Machine: 'n1', State: 'Claimed', Activity: 'Busy', TotalCpus: 4, Cpus: 3, TotalMemory: 512 },
    ]
    expect(htcondor().nodes().parse(JSON.stringify(slots))).toMatchObject([
      { name: 'n1', state: 'free', cores: 4, coresInUse: 3 },
    ])
    expect(
      htcondor()
        .nodes()
        .parse(JSON.stringify(slots.slice(1))),
    ).toMatchObject([{ state: 'busy', coresInUse: 4 }])
  })
})

describe("the user's jobs", () => {
  // Slurm's recorded from 22.05, the others in the form of their manuals.
  const slurms =
    '2|FAILED|BadConstraints|/home/you/run|study\n9|PENDING|Resources|/home/you/run|study\n9|RUNNING|None|/home/you/run|study\n3|PENDING|JobHeldUser|/tmp|a|b\n'
  const pbsList = JSON.stringify({
    pbs_version: '22',
    Jobs: {
      '9[].host': {
        Job_Name: 'study',
        Job_Owner: 'you@login',
        job_state: 'B',
        Variable_List: { PBS_O_WORKDIR: '/home/you/run' },
      },
      '4.host': { Job_Name: 'theirs', Job_Owner: 'she@login', job_state: 'R' },
    },
  })
  const torqueList =
    'Job Id: 9[].host\n    Job_Name = study\n    Job_Owner = you@login\n    job_state = R\n    Variable_List = PBS_O_QUEUE=q,PBS_O_WORKDIR=/home/you/run,PBS_O_HOST=login\n\nJob Id: 4.host\n    Job_Name = theirs\n    Job_Owner = she@login\n    job_state = R\n\n'
  const ads = [0, 1].map((ProcId) => ({
    ClusterId: 9,
    ProcId,
    JobBatchName: 'study',
    Iwd: '/home/you/run',
    JobStatus: 2,
  }))
  it('of Slurm may have line breaks in their names, and its nodes in their notes', () => {
    const dialect = slurm({ accounting: true })
    const text = '4|RUNNING|None|/home/you/run|two\nlines\n9|FAILED|NonZeroExitCode|/home/you/run|study\n'
    expect(dialect.queue('you').parse(text)).toMatchObject([
      { id: '4', name: 'two\nlines' },
      { id: '9', name: 'study', state: 'failed' },
    ])
    expect(dialect.queue('you').parse('\n')).toEqual([])
    const nodes = 'n1|drained|0/0/2/2|100|broken:\nfan\nn2|idle|0/2/0/2|100|none\n'
    expect(dialect.nodes().parse(nodes)).toMatchObject([
      { name: 'n1', state: 'down' },
      { name: 'n2', state: 'free' },
    ])
  })

  it.each([
    [slurm({ accounting: true }), slurms, '9'],
    [torque({ onSlurm: true }), slurms, '9'],
    [pbs(), pbsList, '9[]'],
    [torque({ onSlurm: false }), torqueList, '9[]'],
    [htcondor(), `${JSON.stringify(ads)}\n--\n`, '9'],
  ])('are listed with their folders, an array once: %#', (dialect, printed, id) => {
    const jobs = dialect.queue('you').parse(printed)
    expect(jobs[0]).toEqual({ id, name: 'study', state: 'running', folder: '/home/you/run' })
    const other = [{ id: '3', name: 'a|b', state: 'held', folder: '/tmp' }]
    expect(jobs.slice(1)).toEqual(printed === slurms ? other : [])
    expect(() => dialect.queue('you').parse('<html>')).toThrow('expected')
  })
})

describe('what a reason means', () => {
  it.each([
    ['PENDING, reason Resources', /^what it needs is in use/],
    ['PENDING, reason Dependency, waits for afterok:7(unfulfilled)', /^it waits for another job/],
    ['PENDING, reason DependencyNeverSatisfied', /can no longer come true/],
    ['state H, hold types s', /^somebody holds it/],
    ['PENDING, reason launch_failed_requeued_held', /^somebody holds it/],
    ['state H, depend afterok:1, hold types s', /^it waits for another job/],
    ['PENDING, reason QOSMaxCpuPerUserLimit', /^you or your group have reached a limit/],
    ['PENDING, reason JobArrayTaskLimit', /^its array may not run more tasks/],
    ['state Q', /^the scheduler has not looked at it yet/],
  ])('%s', (why, meaning) => {
    expect(meaningOf(why)).toMatch(meaning)
  })

  it('is not known for words that nobody has seen', () => {
    expect(meaningOf('PENDING, reason Whatever')).toBeUndefined()
  })
})

describe('which scheduler there is', () => {
  /** What the probe prints on a host that has these programs. */
  async function probed(programs: Record<string, string>): Promise<string> {
    await using folder = await temporaryFolder()
    await symlink('/usr/bin/head', join(folder.path, 'head'))
    for (const [name, script] of Object.entries(programs)) {
      await writeFile(join(folder.path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    }
    const [, ...args] = probe
    return (await promisify(execFile)('/bin/sh', args, { env: { PATH: folder.path } })).stdout
  }

  it.skipIf(process.platform === 'win32')('is told by its programs', async () => {
    expect(await probed({})).toBe('')
    expect(await probed({ sbatch: '', sacct: 'echo disabled >&2; exit 1' })).toBe('program sbatch\nsacct 1\n')
    expect(await probed({ sbatch: '', sacct: '', condor_submit: '' })).toBe(
      'program sbatch\nprogram condor_submit\nsacct 0\n',
    )
    const usage = 'printf "Unknown option: version\\nUsage:\\n  qstat\\nmore\\n" >&2; exit 2'
    expect(await probed({ qsub: '', qstat: usage })).toBe('program qsub\nqstat Unknown option: version Usage: qstat\n')
  })

  it.each([
    ['program sbatch\nsacct 0\n', 'Slurm'],
    ['program sbatch\nsacct 1\n', 'Slurm, without accounting'],
    ['program qsub\nqstat pbs_version = 19.1.1\n', 'PBS'],
    ['program qsub\nqstat Version: 6.1.3 Commit: abc\n', 'Torque'],
    ['program qsub\nqstat Unknown option: version Usage: qstat\n', "Slurm's imitation of Torque"],
    ['program condor_submit\n', 'HTCondor'],
    ['', undefined],
  ])('%j', (printed, title) => {
    expect(dialectOf(readProbe(printed))?.title).toBe(title)
  })

  it('is the requested one, if it is there', () => {
    const found = readProbe('program sbatch\nprogram qsub\nsacct 1\nqstat Unknown option\n')
    expect(dialectOf(found, 'torque')?.title).toBe("Slurm's imitation of Torque")
    expect(dialectOf(found, 'pbs')).toBeUndefined()
    expect(dialectOf(readProbe('program qsub\nqstat pbs_version = 19.1.1\n'), 'torque')).toBeUndefined()
    expect(dialectOf(found, 'htcondor')).toBeUndefined()
  })
})
