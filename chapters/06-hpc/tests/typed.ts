/** The `debug` example with somebody at the keyboard. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { loader } from '@repo/common/process/child'

/** What a shell on a node that is given some lines prints. */
export async function typeInto(args: string[], lines: string): Promise<{ code: number; stdout: string }> {
  const cwd = join(import.meta.dirname, '..')
  const child = spawn(process.execPath, [...loader(), 'examples/debug.ts', ...args], {
    cwd,
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 100_000,
  })
  child.stdin?.write(lines)
  const [stdout, [code]] = await Promise.all([child.stdout ? text(child.stdout) : '', once(child, 'exit')])
  return { code, stdout }
}
