/** The suites of the bench. Each is loaded only when it runs. */
import type { Suite } from './harness/suite.ts'

export const suites: Record<string, () => Promise<Suite>> = {
  ladder: async () => (await import('./ladder/suite.ts')).ladder,
  compute: async () => (await import('./compute/suite.ts')).compute,
  text: async () => (await import('./text/suite.ts')).text,
  storage: async () => (await import('./storage/suite.ts')).storage,
  remote: async () => (await import('./remote/suite.ts')).remote,
  hpc: async () => (await import('./hpc/suite.ts')).hpc,
  engines: async () => (await import('./engines/suite.ts')).engines,
  starting: async () => (await import('./starting/suite.ts')).starting,
}
