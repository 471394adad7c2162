/** Runs an example as a reader does, for a program that wants its results. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { loader } from '../process/child.ts'

export interface StartedExample {
  process: ChildProcess
  /** What it prints with `--json`. Rejects with its last error message if it fails. */
  result: Promise<unknown>
}

/**
 * Starts an example in its chapter's folder, with `--json` and further arguments. It has its own process group: the owner
 * passes Ctrl-C on to it. What it writes to standard error goes to `onNotice`.
 */
export function startExample(
  chapterFolder: string,
  name: string,
  args: string[],
  onNotice: (text: string) => void = () => {},
): StartedExample {
  const child = spawn(process.execPath, [...loader(), join('examples', `${name}.ts`), ...args, '--json'], {
    cwd: chapterFolder,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  })
  let json = ''
  let notices = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    json += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    notices = (notices + text).slice(-10_000)
    onNotice(text)
  })
  const result = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) {
        try {
          resolve(JSON.parse(json))
        } catch (error) {
          reject(new Error('it printed no JSON document', { cause: error }))
        }
        return
      }
      const lines = notices.trim().split('\n')
      const message = lines.findLast((line) => /^(error|\w*Error( \[\w+\])?): /.test(line))
      reject(new Error(message?.replace(/^error: /, '') ?? `it ended with ${signal ?? `exit code ${code}`}`))
    })
  })
  return { process: child, result }
}
