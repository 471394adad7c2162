/** Tests against real servers. Without the server they are skipped, and they fail in CI. */
import { describe, it } from 'vitest'

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
