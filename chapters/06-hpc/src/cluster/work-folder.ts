/** A folder on the cluster for one run of an example; with it go the jobs that still run in it. */
import { randomUUID } from 'node:crypto'
import { posix } from 'node:path'
import type { SubmittedJob } from '../scheduler/job.ts'
import type { Cluster } from './cluster.ts'

export interface WorkFolder extends AsyncDisposable {
  /** Absolute, on the cluster. */
  path: string
  /** Has a job cancelled when the folder is removed, if it has not ended by then. */
  cancelAtTheEnd: (job: SubmittedJob) => SubmittedJob
}

/** Makes a folder in the account's home; disposing of it cancels its jobs and removes it. */
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
      // Those that have ended cannot be cancelled, and need not be.
      await Promise.all(jobs.map((job) => cluster.cancel(job).catch(() => {})))
      await cluster.connection.remove(path).catch(() => {})
    },
  }
}
