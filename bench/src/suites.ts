/** The suites of the bench. Each is loaded only when it runs. */
import type { Suite } from './harness/suite.ts'

export const suites: Record<string, () => Promise<Suite>> = {
  ladder: async () => (await import('./ladder/suite.ts')).ladder,
  engines: async () => (await import('./engines/suite.ts')).engines,
}
