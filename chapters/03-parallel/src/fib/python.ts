/** The same Fibonacci number several times at once in Python, on its threads and on its processes. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface PythonTimes {
  version: string
  results: { k: number; oneMs: number; threadsMs: number; processesMs: number }[]
}

/** The times of fib(n) for each count: once, and k times at once. Undefined on machines without python3. */
export async function python(n: number, counts: number[], signal?: AbortSignal): Promise<PythonTimes | undefined> {
  const script = fileURLToPath(new URL('./fib.py', import.meta.url))
  try {
    const { stdout } = await promisify(execFile)('python3', [script, String(n), ...counts.map(String)], { signal })
    return JSON.parse(stdout) as PythonTimes
  } catch (error) {
    signal?.throwIfAborted()
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error('python3 could not run src/fib/fib.py', { cause: error })
  }
}
