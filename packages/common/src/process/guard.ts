/**
 * What must not outlive this process, even when it is killed: child processes and temporary folders.
 *
 * A killed process cannot clean up after itself. So a small process beside it, the reaper, holds a pipe from it. When the
 * pipe ends, the reaper knows that its owner is gone; it then ends the children and removes the folders.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

const guarded = new Set<number | string>()
let reaper: ChildProcess | undefined

/**
 * Has a process group, by its leader's pid, ended or a folder removed when this process ends without having done so.
 *
 * @returns a function that takes it off the list; it is fulfilled when, with nothing left on the list, the reaper has ended
 */
export function guard(entry: number | string): () => Promise<void> {
  guarded.add(entry)
  if (reaper) tell('+', entry)
  else startReaper()
  return async () => {
    if (!guarded.delete(entry)) return
    tell('-', entry)
    if (guarded.size > 0 || !reaper) return
    const ending = reaper
    reaper = undefined
    const ended = once(ending, 'exit')
    ending.ref()
    ending.kill('SIGKILL')
    await ended
  }
}

function startReaper() {
  const started = spawn(process.execPath, [fileURLToPath(new URL('./reaper.mjs', import.meta.url))], {
    // Nothing that a reader set for their own programs, such as --inspect.
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    windowsHide: true,
  })
  const forget = () => {
    if (reaper === started) reaper = undefined
  }
  started.on('error', forget).on('exit', forget)
  started.stdin.on('error', forget)
  // Neither the process nor the pipe keeps the owner running.
  started.unref()
  if (started.stdin instanceof Socket) started.stdin.unref()
  reaper = started
  for (const entry of guarded) tell('+', entry)
}

function tell(change: '+' | '-', entry: number | string) {
  reaper?.stdin?.write(`${change}${JSON.stringify(entry)}\n`)
}
