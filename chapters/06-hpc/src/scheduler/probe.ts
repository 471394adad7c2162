/** Finds out, with one command, which scheduler a login node has, and chooses its dialect. */
import type { SchedulerName } from '@repo/practice-cluster/notation'
import type { Command } from '../ssh/quote.ts'
import { htcondor } from './htcondor.ts'
import { pbs } from './pbs.ts'
import type { Dialect } from './scheduler.ts'
import { slurm } from './slurm.ts'
import { torque } from './torque.ts'

/** Prints which programs the host has, and what tells their variants apart. */
export const probe: Command = [
  'sh',
  '-c',
  [
    'for program in sbatch qsub condor_submit; do command -v "$program" >/dev/null 2>&1 && echo "program $program"; done',
    'if command -v sbatch >/dev/null 2>&1; then sacct --noheader --allocations --jobs=1 >/dev/null 2>&1; echo "sacct $?"; fi',
    // PBS Pro: `pbs_version = 19.1.1`. Torque: `Version: 6.1.3`. Slurm's imitation: its usage.
    'if command -v qsub >/dev/null 2>&1; then echo "qstat" $(qstat --version 2>&1 | head -n 3); fi',
  ].join('; '),
]

export interface Found {
  programs: string[]
  accounting: boolean
  qstat: 'pbs' | 'torque' | 'slurm'
}

export function readProbe(stdout: string): Found {
  const qstat = /^qstat (.*)$/m.exec(stdout)?.[1] ?? ''
  return {
    programs: [...stdout.matchAll(/^program (\S+)$/gm)].map(([, program = '']) => program),
    accounting: /^sacct 0$/m.test(stdout),
    qstat: /pbs_version/i.test(qstat) ? 'pbs' : /version:/i.test(qstat) ? 'torque' : 'slurm',
  }
}

/** The dialect of the requested scheduler, or of the first one found; undefined if the host does not have it. */
export function dialectOf(found: Found, wanted?: SchedulerName): Dialect | undefined {
  const has = (program: string) => found.programs.includes(program)
  const dialects: [SchedulerName, boolean, () => Dialect][] = [
    ['slurm', has('sbatch'), () => slurm({ accounting: found.accounting })],
    ['pbs', has('qsub') && found.qstat === 'pbs', pbs],
    ['torque', has('qsub') && found.qstat !== 'pbs', () => torque({ onSlurm: found.qstat === 'slurm' })],
    ['htcondor', has('condor_submit'), htcondor],
  ]
  return dialects.find(([name, there]) => there && (wanted === undefined || name === wanted))?.[2]()
}
