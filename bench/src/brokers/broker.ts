/** What a broker must offer to be compared: where it is, what it costs, and everything that can happen to it. */

/** How clients and workers reach a broker. It travels to their processes as JSON. */
export interface Reach {
  /** The nodes, any of which will do. */
  endpoints: { host: string; port: number }[]
  user: string
  password: string
}

/** A running broker on this machine. Disposing of it ends it and removes its data. */
export interface Broker extends AsyncDisposable {
  /** With the server's name, such as `Redis 7.0.15`. */
  version: string
  /** When it calls a job safe: what is on disk by then, and on how many machines. */
  durability: string
  reach: Reach
  /** Its processes, without those that they have started. */
  pids: () => number[]
  /** Where it keeps its data. */
  folders: string[]
  /** Kills it with SIGKILL and starts it again on its disk; of several nodes, the one that most depend on. */
  crash: () => Promise<void>
  /**
   * Its machine is gone with its disk. An empty machine takes its place at the same address; of several nodes, one is gone
   * for good.
   */
  loseMachine: () => Promise<void>
  /** Why the two are not tried, where they would say nothing about the real service. */
  faultless?: string
}

export interface BrokerKind {
  /** What is missing here and how to install it; undefined if it can be started. */
  missing: () => Promise<string | undefined>
  start: (signal: AbortSignal) => Promise<Broker>
}

/** Returns a kind of broker that needs a program. `start` gets what `find` has found. */
export function needing<Found>(
  { name, install, find }: { name: string; install: string; find: () => Promise<Found | undefined> },
  start: (found: Found, signal: AbortSignal) => Promise<Broker>,
): BrokerKind {
  const needs = `needs ${name}: ${install}`
  return {
    missing: async () => ((await find()) === undefined ? needs : undefined),
    async start(signal) {
      const found = await find()
      if (found === undefined) throw new Error(needs)
      return await start(found, signal)
    },
  }
}
