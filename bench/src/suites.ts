/** The suites of the bench. Each is loaded only when it runs. */
import type { Suite } from './harness/suite.ts'

export const suites: Record<string, { summary: string; load: () => Promise<Suite> }> = {
  ladder: {
    summary: 'one small task by a call, a message, a thread, a process, a queue, a batch job: what handing over costs',
    load: async () => (await import('./ladder/suite.ts')).ladder,
  },
  engines: {
    summary: 'the drill of chapter 4 on other queues: speed, and what is lost or doubled when machines die',
    load: async () => (await import('./engines/suite.ts')).engines,
  },
}
