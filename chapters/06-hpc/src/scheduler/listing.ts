/** The command with which one looks at a job, as people type it; what it prints is for people, not for parsers. */
import type { SubmittedJob } from './job.ts'
import type { Command, Dialect } from './scheduler.ts'

export function listing({ name }: Dialect, { id }: SubmittedJob): Command {
  if (name === 'slurm') return ['squeue', `--jobs=${id}`]
  return name === 'htcondor' ? ['condor_q', id] : ['qstat', id]
}
