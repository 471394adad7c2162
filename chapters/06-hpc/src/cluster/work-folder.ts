/** A folder on the cluster for one run of an example. */
import { randomUUID } from 'node:crypto'
import { posix } from 'node:path'
import type { SubmittedJob } from '../scheduler/job.ts'
import type { Cluster } from './cluster.ts'

export interface WorkFolder extends AsyncDisposable {
  /** Its absolute path on the cluster. */
  path: string
  /** Registers a job to be cancelled before the folder is removed, unless it has ended. Returns the job. */
  cancelAtTheEnd: (job: SubmittedJob) => SubmittedJob
}

/** Makes a folder in the account's home. Disposing of it cancels its jobs and removes it. */
export async function workFolder(cluster: Cluster, name: string): Promise<WorkFolder> {
  const path = posix.join(cluster.home, `${name}-${randomUUID().slice(0, 8)}`)
  await cluster.connection.mkdir(path)
  const jobs: SubmittedJob[] = []
  return {
    path,
    cancelAtTheEnd(job) {
      jobs.push(job)
      return job
    },
    async [Symbol.asyncDispose]() {
      // Cancelling fails for jobs that have ended.
      await Promise.all(jobs.map((job) => cluster.cancel(job).catch(() => {})))
      await cluster.connection.remove(path).catch(() => {})
    },
  }
}
