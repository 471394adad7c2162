/** The command line of every example: help and wrong options, as functions. Other tests run each as a process. */
import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import array from '../examples/array.ts'
import checkpoint from '../examples/checkpoint.ts'
import dag from '../examples/dag.ts'
import debug from '../examples/debug.ts'
import failures from '../examples/failures.ts'
import ranks from '../examples/ranks.ts'
import ssh from '../examples/ssh.ts'
import submit from '../examples/submit.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const runs = { submit, array, dag, failures, checkpoint, ranks, debug }
const examples = { ssh, ...runs }
const windows = process.platform === 'win32'

describe.each(Object.entries(examples))('%s --help', (name, example) => {
  it('explains itself and every option', async () => {
    const { code, stdout } = await runHere(example, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^${name}: .*\\n[^]*pnpm --filter 06-hpc start ${name}\\b[^]*Usage: ${name} `))
    const options = ['--host', '--ssh-config', '--quick', '--json', ...(name in runs ? ['--scheduler'] : [])]
    for (const option of options) expect(stdout).toContain(option)
  })
})

const aHost = '[user@]host[:port], or a Host from the SSH configuration'
it.each<[keyof typeof examples, args: string[], message: string]>([
  ['array', ['--tasks', '0'], '--tasks: received "0"; accepts a whole number from 1 to 10000'],
  ['array', ['--job', 'mandelbrot', '--tasks', '801'], '--tasks: received "801"; accepts 1 to 800 for mandelbrot'],
  [
    'array',
    ['--attach', '/nowhere'],
    '--attach: received "/nowhere"; accepts the folder of a run; there is no run in /nowhere',
  ],
  ['array', ['--host', '-x'], `--host: received "-x"; accepts ${aHost}`],
  ['array', ['--scheduler', 'lsf'], '--scheduler: received "lsf"; accepts one of slurm, pbs, torque, htcondor'],
  ['submit', ['--via', 'ftp'], '--via: received "ftp"; accepts commands, rest, unix:/PATH or HOST:PORT'],
  [
    'failures',
    ['--via', 'rest'],
    '--via: received "rest"; accepts commands: the practice cluster has no slurmrestd; --host names a Slurm that has one',
  ],
  ['checkpoint', ['--walltime', '5', '--warn', '5'], '--warn: received "5"; accepts less than the walltime, 5 s'],
  ['ssh', ['--host', 'a b'], `--host: received "a b"; accepts ${aHost}`],
])('%s refuses %j, and says what it accepts', async (name, args, message) => {
  expect(await runHere(examples[name], ...args)).toMatchObject({ code: 2, stdout: '', stderr: `error: ${message}\n` })
})

it.each<[keyof typeof examples, ...string[]]>([
  ['submit', '--name', 'a\n#SBATCH --hold'],
  ['submit', '--name', '1'],
  ['submit', '--cores', '0'],
  ['submit', '--walltime', '1.5'],
  ['submit', '--scheduler', 'lsf'],
  ['submit', '--host', 'a b'],
  ['submit', '--queue', 'x;y'],
  ['dag', '--fail', 'E'],
  ['dag', '--seconds', '-1'],
  ['dag', '--numbers', '0'],
  ['debug', '--job', '; rm'],
  ['debug', '--host', ''],
  ['debug', 'operand', ''],
])('%s %s %j is refused in one line', async (name, ...args) => {
  const { code, stdout, stderr } = await runHere(examples[name], ...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: .*received .*; accepts [^\n]+\n$/)
})

it('a shell and a document want the same output: debug refuses both, as a process of its own', async () => {
  const run = await runExample(chapter, 'debug', ['--shell', '--json'])
  const message = 'error: --shell: received "--json"; accepts standard output for the shell alone\n'
  expect(run).toMatchObject({ code: 2, stdout: '', stderr: message })
})

it.skipIf(windows)('an unknown job is refused by debug in the words of the scheduler', async () => {
  const { code, stderr } = await runHere(debug, '--job', '99')
  expect(code).toBe(2)
  expect(stderr).toMatch(/^error: --job: received "99"; accepts .*scontrol show job 99.*Invalid job id specified\n$/)
})

it('a host where nobody answers is an error of one line', async () => {
  const { code, stderr } = await runHere(ssh, '--host', 'nobody@127.0.0.1:1')
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error: nobody@127\.0\.0\.1:1: no connection: .*ECONNREFUSED.*\n$/)
})
