/** The options that every example of the chapter has: on which cluster it runs. */
import { accepting, oneOf, path } from '@repo/common/example/options'
import type { PracticeOptions } from '@repo/practice-cluster/cluster'
import { type SchedulerName, schedulerNames } from '../scheduler/scheduler.ts'
import { parseTarget } from '../ssh/config.ts'
import { type Cluster, openCluster } from './cluster.ts'

const target = accepting('[user@]host[:port], or a Host of the SSH configuration', (text) =>
  parseTarget(text) ? text : undefined,
)

export const clusterOptions = {
  host: target.optional().describe('the login node; without it a practice cluster in this program'),
  scheduler: oneOf(...schedulerNames)
    .optional()
    .describe('found out when not given'),
  sshConfig: path('a file').optional().describe('instead of ~/.ssh/config'),
  acceptHost: accepting("a fingerprint, SHA256:…, of the host's key", (text) =>
    /^SHA256:[A-Za-z0-9+/]{43}$/.test(text) ? text : undefined,
  )
    .optional()
    .describe('writes a new host that shows this key into known_hosts'),
}

/** For the examples whose jobs are programs of Node. */
export const nodeOption = accepting('a program', (text) => text || undefined)
  .default('node')
  .describe('Node on the nodes of the cluster')

export interface ClusterChoice {
  host?: string | undefined
  scheduler?: SchedulerName | undefined
  sshConfig?: string | undefined
  acceptHost?: string | undefined
}

/** The cluster that the reader chose; `practice` says how the practice cluster shall be, if it is that. */
export async function openChosenCluster(
  { host, scheduler, sshConfig, acceptHost }: ClusterChoice,
  practice: PracticeOptions = {},
): Promise<Cluster> {
  const connection = { ...(sshConfig && { configFile: sshConfig }), ...(acceptHost && { acceptNewHost: acceptHost }) }
  return await openCluster({ host, scheduler, practice, ...connection })
}
