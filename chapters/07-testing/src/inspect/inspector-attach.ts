/** Attaching to a Node process that somebody else has started. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { UsageError } from '@repo/common/example/usage'
import { Inspector, openInspector } from './inspector.ts'

/**
 * Opens the inspector of a process by its id, and connects to it.
 *
 * @param port where it will listen: 9229, unless the process was started with another --inspect-port
 * @throws UsageError when there is no such process, it is no Node (to another program the signal would be deadly), or another
 *   one listens there
 */
export async function attach(pid: number, port: number): Promise<Inspector> {
  const accepts = 'the id of a Node process that runs and is yours'
  if (process.platform !== 'win32') {
    const command = await promisify(execFile)('ps', ['-o', 'comm=', '-p', String(pid)]).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    )
    if (command === '') throw new UsageError('--pid', pid, `${accepts}; this one has ended`)
    if (!/(^|\/)(node|MainThread)$/.test(command))
      throw new UsageError('--pid', pid, `${accepts}; this one is ${command}`)
  }
  try {
    openInspector(pid)
  } catch (error) {
    throw new UsageError('--pid', pid, `${accepts}; ${(error as NodeJS.ErrnoException).code}`)
  }
  const list = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`)
    const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[]
    return target?.webSocketDebuggerUrl
  }
  const url = await until(list, { timeoutMs: 20_000, what: `process ${pid} listens on port ${port}` })
  const inspector = await Inspector.connect(url)
  const found = await inspector.evaluate<number>('process.pid')
  if (found !== pid) {
    // Somebody else's, and open before.
    inspector.detach()
    throw new UsageError('--port', port, `the port of the inspector of process ${pid}; there listens process ${found}`)
  }
  return inspector
}
