/**
 * Guards child processes and temporary folders, which must not outlive this process.
 *
 * A killed process cannot clean up. So a small companion process, the reaper, reads a pipe from it. The end of the pipe
 * tells the reaper that its owner has ended. The reaper then ends the children and removes the folders.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

const guarded = new Set<number | string>()
let reaper: ChildProcess | undefined

/**
 * Makes sure that a process group (its leader's pid) ends, or a folder (its path) is removed, when this process ends.
 *
 * @returns a function that ends the guarding; for the last entry, it also ends the reaper and waits for its end
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
    // Without the reader's own options, such as --inspect.
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
  // Neither the reaper nor the pipe keeps this process running.
  started.unref()
  if (started.stdin instanceof Socket) started.stdin.unref()
  reaper = started
  for (const entry of guarded) tell('+', entry)
}

function tell(change: '+' | '-', entry: number | string) {
  reaper?.stdin?.write(`${change}${JSON.stringify(entry)}\n`)
}
