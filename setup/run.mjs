/**
 * Child processes of the setup: they leave nothing behind when the reader presses Ctrl-C.
 *
 * On Ctrl-C a terminal signals every process of its foreground group, and npm forwards the signal once more. What runs
 * here gets it exactly once: each child leads a group of its own, and this process forwards the signal to it.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

/** The repository's root, without a slash at its end. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')

const isWindows = process.platform === 'win32'
const sameKeyPressMs = 500

let child
let exitCode
let signalledAt = Number.NEGATIVE_INFINITY
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (performance.now() - signalledAt < sameKeyPressMs) return
    signalledAt = performance.now()
    exitCode = 128 + constants.signals[signal]
    if (child === undefined) process.exit(exitCode)
    stop(child, signal)
  })
}

// What cannot be written to standard error is lost, and the work goes on.
process.stderr.on('error', () => {})
// `npm start | head -1` closes the pipe once it has its line: nobody is left to read the rest. A full disk is an error.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') say(`error: standard output cannot be written: ${error.message}`)
  exitCode ??= error.code === 'EPIPE' ? 0 : 1
  if (child === undefined) process.exit(exitCode)
  stop(child, 'SIGTERM')
})

function stop(process_, signal) {
  try {
    if (isWindows) process_.kill(signal)
    else process.kill(-process_.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** A line for the reader, on standard error: standard output belongs to results. */
export function say(line) {
  process.stderr.write(`${line}\n`)
}

/** Ends with the help if the command line asks for it. */
export function offerHelp(help) {
  if (!process.argv.slice(2).some((word) => word === '--help' || word === '-h')) return
  process.stdout.write(help)
  process.exit(0)
}

/** Ends with one line for the reader. */
export function fail(line, code = 1) {
  say(`error: ${line}`)
  process.exit(code)
}

/**
 * Runs a command in the root, or in `cwd`, one at a time, without standard input, and returns its exit code and, with
 * `capture`, its output: all of it, and what it printed on standard output. Otherwise its output goes to standard error
 * or, with `stdout: true`, where it belongs. Returns code 127 if the command cannot be started, and 137 if it takes
 * longer than `timeoutMs`. Does not return if the reader interrupts it: this process then ends once the command has.
 */
export function run(command, args, options = {}) {
  const { cwd = root, env = {}, capture = false, stdout = false, ipc = false, timeoutMs } = options
  return new Promise((resolve) => {
    const out = capture ? 'pipe' : stdout ? 'inherit' : 2
    child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', out, capture ? 'pipe' : 'inherit', ...(ipc ? ['ipc'] : [])],
      detached: !isWindows,
      // npx is a batch file there; no argument of ours needs quoting.
      shell: isWindows && command === 'npx',
    })
    let output = ''
    let printed = ''
    child.stdout?.setEncoding('utf8').on('data', (data) => {
      output += data
      printed += data
    })
    child.stderr?.on('data', (data) => {
      output += data
    })
    const timer = timeoutMs && setTimeout(stop, timeoutMs, child, 'SIGKILL')
    const done = (code, reason = output) => {
      clearTimeout(timer)
      child = undefined
      if (exitCode !== undefined) process.exit(exitCode)
      resolve({ code, output: reason, printed })
    }
    child.on('error', (error) => done(127, error.message))
    child.on('close', (code, signal) => done(code ?? 128 + constants.signals[signal]))
  })
}
