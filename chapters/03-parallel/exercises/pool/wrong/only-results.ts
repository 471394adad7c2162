// The checker says: t1 is never answered: its worker has died.
/** Replaces the dead worker, and forgets what it was doing. */
import type { Pool, PoolWorker, StartWorker } from '../check.ts'

/** A task that is not answered yet. */
interface Job {
  task: string
  resolve: (result: string) => void
  reject: (error: Error) => void
}

interface Member {
  worker: PoolWorker
  /** What it is doing; undefined while it is free. */
  job: Job | undefined
}

/** A pool of at most `size` workers, each started when it is first needed. */
export function makePool(start: StartWorker, size: number): Pool {
  const queue: Job[] = []
  const members = new Set<Member>()

  /** Gives the first jobs of the queue to free or new workers, until one of the two runs out. */
  function assign(): void {
    for (const job of [...queue]) {
      const member = [...members].find((each) => each.job === undefined) ?? add()
      if (!member) return
      queue.shift()
      member.job = job
      member.worker.post(job.task)
    }
  }

  function add(): Member | undefined {
    if (members.size === size) return undefined
    const worker = start({
      onResult(result) {
        const { job } = member
        member.job = undefined
        job?.resolve(result)
        assign()
      },
      onExit() {
        // Another worker takes its place.
        members.delete(member)
        assign()
      },
    })
    const member: Member = { worker, job: undefined }
    members.add(member)
    return member
  }

  return {
    run(task) {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      queue.push({ task, resolve, reject })
      assign()
      return promise
    },
  }
}
