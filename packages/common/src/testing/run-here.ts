/** Runs an example's command line in the test's own process: a fraction of the time that a process of its own takes. */
import type { Example } from '../example/example.ts'

/** What a run printed, and its exit code. */
export interface RunHere {
  code: number
  stdout: string
  stderr: string
  /** Parses standard output, which must be one JSON document. */
  json: <Document>() => Document
}

/**
 * Runs an example with the words of a command line and returns what it printed. What only a process can show, such as
 * Ctrl-C or that nothing is left at its end, needs `runExample`.
 */
export async function runHere({ main }: Pick<Example, 'main'>, ...argv: string[]): Promise<RunHere> {
  const output = { stdout: '', stderr: '' }
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name]
    const { write } = stream
    const listeners = stream.listeners('error')
    stream.write = (text: string | Uint8Array) => {
      output[name] += text
      return true
    }
    return () => {
      stream.write = write
      // An example listens to its outputs until its process ends.
      for (const added of stream.listeners('error').filter((listener) => !listeners.includes(listener))) {
        stream.off('error', added as () => void)
      }
    }
  })
  try {
    const code = await main(argv)
    return {
      code,
      ...output,
      json() {
        if (code !== 0) throw new Error(`the example ended with ${code}: ${output.stderr}`)
        return JSON.parse(output.stdout)
      },
    }
  } finally {
    for (const each of restore) each()
  }
}
