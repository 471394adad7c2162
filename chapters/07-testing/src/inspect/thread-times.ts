/** How long the main thread of a process has run, and how long it could have. Linux counts both. */
import { readdirSync, readFileSync } from 'node:fs'

export interface Times {
  /** On a core, in ms. */
  ranMs: number
  /**
   * Until there was a core for it, for another thread of its process (one of them carries the inspector's messages), or
   * for us, in ms.
   */
  waitedMs: number
}

/** Returns the times so far; undefined where the system does not tell. */
export function threadTimes(pid: number): Times | undefined {
  try {
    const main = timesOf(`/proc/${pid}/task/${pid}`)
    const waits = [pid, process.pid].flatMap((each) =>
      readdirSync(`/proc/${each}/task`).map((thread) => waitOf(`/proc/${each}/task/${thread}`)),
    )
    return { ranMs: main.ranMs, waitedMs: waits.reduce((sum, ms) => sum + ms, 0) }
  } catch {
    return undefined
  }
}

function waitOf(folder: string): number {
  try {
    return timesOf(folder).waitedMs
  } catch {
    // The thread has just ended.
    return 0
  }
}

/** Two counts of nanoseconds, and a number of time slices. */
function timesOf(folder: string): Times {
  const [ran, waited] = readFileSync(`${folder}/schedstat`, 'utf8').split(' ')
  return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 }
}
