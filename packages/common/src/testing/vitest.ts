/**
 * For tests: real servers, without which they are skipped, and fail in CI; and what must not be left running.
 */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { processesWith } from '../process/marked.ts'

export interface Need {
  /** What the tests need, such as `a Redis server`. */
  name: string
  /** Truthy if it is installed. */
  found: unknown
  /** The command that installs it. */
  install: string
}

/**
 * `describe` for tests that need a real server. If it is missing, they are skipped under a title that says how to
 * install it; with REQUIRE_REAL=1, they fail.
 */
export function describeReal(title: string, { name, found, install }: Need, body: () => void): void {
  if (found) describe(title, body)
  else if (process.env.REQUIRE_REAL === '1') {
    describe(title, () => {
      it(`finds ${name}`, () => {
        throw new Error(`REQUIRE_REAL=1, but ${name} is missing: ${install}`)
      })
    })
  } else describe.skip(`${title} (needs ${name}: ${install})`, body)
}

/** The environment variable that all processes of a test inherit. */
const markName = 'TEST_RUN'

/**
 * Fails each test of this file, or of this `describe`, that leaves a process running, even the reaper. It also takes back
 * what a test has stubbed in the environment.
 *
 * @returns a function that returns the command lines of the processes of the test that is running
 */
export function leavesNothingRunning(): () => Promise<string[]> {
  let mark: string
  const running = () => processesWith(markName, mark)
  beforeEach(() => {
    mark = randomUUID()
    vi.stubEnv(markName, mark)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    expect(await running(), 'nothing is left').toEqual([])
  })
  return running
}
