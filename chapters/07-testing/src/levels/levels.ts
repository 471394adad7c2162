/** Runs the pipeline's tests with a planted bug: which level of tests catches it, and how long does it take? */
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createVitest, type TestModule } from 'vitest/node'
import type { Bug } from '../pipeline/orders.ts'

/** The levels of tests, from the smallest to the largest; each is a file in tests/levels. */
export const levels = [
  'pure-functions',
  'properties',
  'races',
  'simulation',
  'contract',
  'integration',
  'fault-injection',
  'end-to-end',
] as const
export type Level = (typeof levels)[number]

export interface LevelResult {
  level: Level
  /** Undefined for the version without a bug. */
  bug: Bug | undefined
  verdict: 'passed' | 'failed' | 'skipped'
  tests: number
  ms: number
  /** The first line of the error of the first test that failed. */
  reason: string | undefined
}

const chapter = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Runs the tests of some levels with one bug or none, one level after another. A failing test is a result, although
 * Vitest sets this process's exit code for it.
 */
export async function runLevels(
  wanted: readonly Level[],
  bug: Bug | undefined,
  signal: AbortSignal,
): Promise<LevelResult[]> {
  signal.throwIfAborted()
  const vitest = await createVitest('test', {
    root: chapter,
    config: false,
    watch: false,
    pool: 'threads',
    isolate: false,
    fileParallelism: false,
    include: wanted.map((level) => `tests/levels/*-${level}.test.ts`),
    env: { PLANTED_BUG: bug ?? '' },
    testTimeout: 240_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    // Vitest prints nothing; the results are returned.
    reporters: [{}],
  })
  const cancel = () => void vitest.cancelCurrentRun('keyboard-input')
  signal.addEventListener('abort', cancel)
  try {
    const { testModules } = await vitest.start()
    signal.throwIfAborted()
    return testModules.map((module) => resultOf(module, bug)).toSorted((a, b) => order(a) - order(b))
  } finally {
    signal.removeEventListener('abort', cancel)
    await vitest.close()
  }
}

const order = ({ level }: LevelResult) => levels.indexOf(level)

function resultOf(module: TestModule, bug: Bug | undefined): LevelResult {
  const level = levels.find((name) => basename(module.moduleId).includes(name))
  if (level === undefined) throw new Error(`${module.moduleId} belongs to no level`)
  const tests = [...module.children.allTests()]
  const state = module.state()
  const [error] = [...tests.flatMap((test) => test.result().errors ?? []), ...module.errors()]
  return {
    level,
    bug,
    tests: tests.length,
    ms: module.diagnostic().duration,
    verdict: state === 'passed' || state === 'failed' ? state : 'skipped',
    reason: state === 'failed' ? (error?.message.split('\n', 1)[0] ?? 'unknown') : undefined,
  }
}
