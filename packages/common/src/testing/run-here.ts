/**
 * Runs examples in the test's own process, in a fraction of the time that a process of their own takes. What only a
 * process can show, such as Ctrl-C, or that nothing is left at its end, needs `runExample`.
 */
import { createHook } from 'node:async_hooks'
import { until } from '../async/until.ts'
import type { Example } from '../example/example.ts'

/** What a run printed, and its exit code. */
export interface RunHere {
  code: number
  stdout: string
  stderr: string
  /** Parses standard output, which must be one JSON document. Throws an Error with the output otherwise. */
  json: <Document>() => Document
}

/** Runs an example with the words of a command line. */
export async function runHere({ main }: Pick<Example<never, never>, 'main'>, ...argv: string[]): Promise<RunHere> {
  const output = { stdout: '', stderr: '' }
  const restoring = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name]
    const { write } = stream
    const listeners = new Set(stream.listeners('error'))
    stream.write = (text: string | Uint8Array) => {
      output[name] += text
      return true
    }
    return () => {
      stream.write = write
      // An example listens to its outputs until its process ends.
      for (const listener of stream.listeners('error')) {
        if (!listeners.has(listener)) stream.off('error', listener as () => void)
      }
    }
  })
  try {
    const code = await main(argv)
    return {
      code,
      ...output,
      json() {
        try {
          return JSON.parse(output.stdout)
        } catch (cause) {
          throw new Error(`it ended with ${code} and did not print one JSON document: ${output.stderr}`, { cause })
        }
      },
    }
  } finally {
    for (const restore of restoring) restore()
  }
}

/**
 * Runs an example and aborts it as soon as it has started a thread, a process or a connection. Returns what the run was
 * rejected with when nothing of it is left open.
 *
 * @throws an Error if the run ends before it is aborted, or leaves something open
 */
export async function abortHere<Options>(
  { run }: { run: Example<Options, unknown>['run'] },
  options: Partial<Options> = {},
  operands: string[] = [],
): Promise<unknown> {
  // Each by its own identity: what an earlier run has left may close meanwhile.
  const open = new Map<number, string>()
  const hook = createHook({
    init: (id, kind) => keepRunning.includes(kind) && open.set(id, kind),
    destroy: (id) => open.delete(id),
  }).enable()
  using _hook = { [Symbol.dispose]: () => hook.disable() }
  const controller = new AbortController()
  let ended = false
  const outcome = run(options, operands, controller.signal).then(
    () => {
      throw new Error('the run ended before it was aborted')
    },
    (error: unknown) => {
      ended = true
      return error
    },
  )
  await Promise.race([outcome, until(() => ended || open.size > 0)])
  controller.abort(new Error('aborted by the test'))
  const error = await outcome
  const closed = () => {
    if (open.size > 0) throw new Error([...open.values()].join(', '))
    return true
  }
  await until(closed, { what: 'nothing of the run open' })
  return error
}

/** Threads, processes, servers and connections, as async_hooks calls them. */
const keepRunning = ['WORKER', 'PROCESSWRAP', 'TCPSERVERWRAP', 'TCPWRAP', 'PIPESERVERWRAP', 'PIPEWRAP', 'UDPWRAP']
