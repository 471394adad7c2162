/** Who runs many small tasks on a host: chapter 6, the shell with ssh, Paramiko, and this machine without SSH. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { guard } from '@repo/common/process/guard'
import { versionOf } from '@repo/common/process/version'
import { findPython, installPython } from '04-celery/celery/python'
import { connect } from '06-hpc/ssh/connection'
import { controlMaster } from '06-hpc/ways/programs'
import { startAsked } from '../harness/asked.ts'
import { nothing, versionOfLibrary } from '../harness/library.ts'
import type { ContenderOf } from '../harness/suite.ts'
import type { Host } from './host.ts'

export interface Place {
  /** @throws an Error that says why there is none */
  host: () => Promise<Host>
  signal: AbortSignal
}

/**
 * Runs a command for each task, and returns what they print, in any order. Begins and ends without a connection.
 *
 * @param tasks commands without quotes
 * @throws an Error if one of them fails
 */
type Run = (tasks: readonly string[], signal: AbortSignal) => Promise<string[]>

export type Contender = ContenderOf<Place, { run: Run }>

/** Tasks that run at once, where they do: as many as sshd has sessions for one connection. */
export const atOnce = 10

// #region shell
/** Standard input has the tasks, a line each; the words after the script are the command that runs one. */
const inTurn = 'while read -r task; do "$@" "$task" || { echo "$task: ended with $?" >&2; exit 1; }; done'
const together = `xargs -P ${atOnce} -I {} "$@" {}`
/** Without -n, the first ssh would read the other tasks as its input. */
const bySsh = (configFile: string, through: string[] = []) => ['ssh', '-n', '-F', configFile, ...through, 'host']
// #endregion shell

/** Runs a script with the tasks as its input, and returns the lines that it prints. At its end nothing of it is left. */
async function runScript(script: string, command: string[], tasks: readonly string[], signal: AbortSignal) {
  signal.throwIfAborted()
  // In a process group of its own: an abort has to end the children of xargs, too.
  const child = spawn('sh', ['-c', script, 'sh', ...command], { stdio: 'pipe', detached: true })
  const release = guard(child.pid ?? 0)
  function end() {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Nothing is left of the group.
    }
  }
  signal.addEventListener('abort', end)
  try {
    child.stdin.on('error', () => {}).end(tasks.map((task) => `${task}\n`).join(''))
    const [output, complaint, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    signal.throwIfAborted()
    if (code !== 0) throw new Error(complaint.trim() || `a task failed: ${script.split(' ')[0]} ended with ${code}`)
    return output.trim().split('\n')
  } finally {
    signal.removeEventListener('abort', end)
    end()
    await release()
  }
}

const shell = (label: string, runOn: (host: Host) => Run): Contender => ({
  label,
  async start({ host }) {
    const run = runOn(await host())
    // It says on standard error who it is.
    const { stderr } = await promisify(execFile)('ssh', ['-V'])
    return { ...nothing, run, version: stderr.split(/[ ,]/)[0] ?? '' }
  },
})

/** One process of ssh holds the connection, and the others reach it by a socket. */
const overMaster =
  (script: string) =>
  ({ configFile, folder }: Host): Run =>
  async (tasks, signal) => {
    const socket = join(folder, 'master')
    // One that was killed has left it.
    await rm(socket, { force: true })
    await using master = await controlMaster({ host: 'host', configFile, signal }, socket)
    return await runScript(script, bySsh(configFile, master.through), tasks, signal)
  }

const paramiko = (label: string, threads: number): Contender => ({
  label,
  async start({ host, signal }) {
    const { host: hostname, port, user: username, identityFile: key_filename, knownHostsFile } = await host()
    const python = await findPython('paramiko', signal)
    if (!python) throw new Error(`needs Paramiko: ${installPython.paramiko}`)
    const program = startAsked(python.command, [fileURLToPath(new URL('./tasks.py', import.meta.url))])
    const to = { hostname, port, username, key_filename }
    return {
      version: `Paramiko ${python.version}`,
      run: async (tasks) => (await program.ask<{ outputs: string[] }>({ to, knownHostsFile, threads, tasks })).outputs,
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    }
  },
})

export const contenders: Record<string, Contender> = {
  ours: {
    label: 'chapter 6, one connection',
    async start({ host }) {
      const { options } = await host()
      return {
        ...nothing,
        version: `ssh2 ${await versionOfLibrary('06-hpc/node_modules/ssh2')}`,
        // #region ours
        async run(tasks, signal) {
          await using connection = await connect({ ...options, signal })
          return await Promise.all(tasks.map((task) => connection.output(task.split(' ') as [string, ...string[]])))
        },
        // #endregion ours
      }
    },
  },
  loop: shell(
    'ssh for each, in a loop',
    ({ configFile }) =>
      (tasks, signal) =>
        runScript(inTurn, bySsh(configFile), tasks, signal),
  ),
  master: shell('ssh with ControlMaster, in a loop', overMaster(inTurn)),
  xargs: shell(`ssh with ControlMaster, ${atOnce} at once`, overMaster(together)),
  paramiko: paramiko('Paramiko, one after the other', 1),
  threads: paramiko(`Paramiko, ${atOnce} threads`, atOnce),
  limit: {
    label: 'the limit: no SSH',
    // sshd, too, has the account's shell run a command.
    start: async () => ({
      ...nothing,
      version: ['xargs', await versionOf(['xargs'])].filter(Boolean).join(' '),
      run: (tasks, signal) => runScript(together, [userInfo().shell ?? 'sh', '-c'], tasks, signal),
    }),
  },
}
