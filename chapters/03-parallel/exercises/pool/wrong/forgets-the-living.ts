// The checker says: The pool starts a worker, although it has 2 of at most 2.
/** Starts anew when a worker dies, and forgets the one that is alive. */
import type { Pool, PoolWorker, StartWorker } from '../check.ts'

interface Job {
  task: string
  resolve: (result: string) => void
  reject: (error: Error) => void
}

interface Member {
  worker: PoolWorker
  job: Job | undefined
}

export function makePool(start: StartWorker, size: number): Pool {
  const queue: Job[] = []
  const members = new Set<Member>()

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
        members.clear()
        member.job?.reject(new Error('its worker has ended'))
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
