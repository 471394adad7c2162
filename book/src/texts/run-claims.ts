/** Runs the examples that claims are about, and evaluates the claims on what they print. */
import { posix } from 'node:path'
import { argsOf, type Evaluation, evaluate, notHere } from '@repo/common/example/claims'
import { startExample } from '@repo/common/example/start-example'
import { describeError } from '@repo/common/example/usage'
import type { Declared } from './claims.ts'

/** A claim, and what became of it on this machine. */
export interface Row {
  chapter: string
  example: string
  id: string
  says: string
  outcome: Evaluation['outcome'] | 'failed'
  /** The figures that decided, why the claim does not apply, or why the example failed. */
  values: string | undefined
}

export interface RunOptions {
  signal: AbortSignal
  /** Called before each command, such as `03-parallel currency --quick`, with its number and how many there are. */
  onRun: (command: string, at: number, all: number) => void
  /** What is missing for an example such as `04-celery/canvas`; its claims do not apply then. */
  missing: (example: string) => string[]
}

/**
 * Evaluates claims: each command line that one of them needs runs once, one after the other. An example that fails makes
 * rows that say why.
 *
 * @throws the signal's reason when it is aborted; the running example has ended then
 */
export async function runClaims(declared: Declared[], { signal, onRun, missing }: RunOptions): Promise<Row[]> {
  const folderOf = (file: string) => posix.dirname(posix.dirname(file))
  const runs = Map.groupBy(declared, ({ file, example, claim }) =>
    JSON.stringify([folderOf(file), example, argsOf(claim)]),
  )
  const rows = new Map<Declared, Row>()
  let at = 0
  for (const [key, claims] of runs) {
    const [folder, example, args] = JSON.parse(key) as [string, string, string[]]
    const chapter = posix.basename(folder)
    const add = (one: Declared, outcome: Row['outcome'], values?: string) =>
      void rows.set(one, { chapter, example, id: one.id, says: one.claim.says, outcome, values })
    at++
    const lacks = missing(`${chapter}/${example}`)
    const why = lacks.length > 0 ? `needs ${lacks.join(' and ')}` : undefined
    const here = claims.filter((one) => {
      const reason = why ?? notHere(one.claim)
      if (reason !== undefined) add(one, 'not applicable', reason)
      return reason === undefined
    })
    if (here.length === 0) continue
    onRun([chapter, example, ...args].join(' '), at, runs.size)
    try {
      const result = await runExample(folder, example, args, signal)
      signal.throwIfAborted()
      for (const one of here) {
        const { outcome, values } = evaluate(one.claim, result)
        add(one, outcome, values)
      }
    } catch (error) {
      signal.throwIfAborted()
      for (const one of here) add(one, 'failed', describeError(error).replace(/^error: /, ''))
    }
  }
  return declared.flatMap((one) => rows.get(one) ?? [])
}

/** Returns the JSON document of an example. */
async function runExample(folder: string, example: string, args: string[], signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted()
  const { process: child, result } = startExample(folder, example, args)
  const interrupt = () => void child.kill('SIGINT')
  signal.addEventListener('abort', interrupt)
  try {
    return await result
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}
