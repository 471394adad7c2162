/** The best program on one thread, in a process of its own that shares nothing with its copies. */
import { ready } from '@repo/common/process/ready'
import { digestOf, type Job, type JobName, jobs } from './jobs.ts'

export interface Question {
  name: JobName
  size: number
}

let prepared: { key: string; job: Job } | undefined
process.on('message', async ({ name, size }: Question) => {
  const key = `${name} ${size}`
  if (prepared?.key !== key) prepared = { key, job: jobs[name].prepare(size, 1) }
  const ms = await prepared.job.alone()
  process.send?.({ ms, digest: digestOf(prepared.job.result()) })
})
process.once('disconnect', () => process.exit())
ready()
