/** The options that choose a cluster; every example in the chapter has them. */
import { accepting, oneOf, path } from '@repo/common/example/options'
import type { PracticeOptions } from '@repo/practice-cluster/cluster'
import { type SchedulerName, schedulerNames } from '@repo/practice-cluster/notation'
import { acceptedAddress, readAddress } from '../scheduler/slurm-rest.ts'
import { parseTarget } from '../ssh/config.ts'
import { type Cluster, openCluster } from './cluster.ts'

const target = accepting('[user@]host[:port], or a Host from the SSH configuration', (text) =>
  parseTarget(text) ? text : undefined,
)

export const clusterOptions = {
  host: target.optional().describe('the login node; by default a practice cluster in this program'),
  scheduler: oneOf(...schedulerNames)
    .optional()
    .describe('detected by default'),
  sshConfig: path('a file').optional().describe('instead of ~/.ssh/config'),
  acceptHost: accepting("a fingerprint, SHA256:…, of the host's key", (text) =>
    /^SHA256:[A-Za-z0-9+/]{43}$/.test(text) ? text : undefined,
  )
    .optional()
    .describe('adds a new host that presents this key to known_hosts'),
}

/** For examples that can also talk to Slurm by REST. */
export const viaOption = accepting(`commands, rest, ${acceptedAddress}`, (text) =>
  text === 'commands' || text === 'rest' || readAddress(text) ? text : undefined,
)
  .default('commands')
  .describe("how to talk to the scheduler: rest is Slurm's REST interface, where the login node says or at an address")

/** For examples whose jobs run Node. */
export const nodeOption = accepting('a program', (text) => text || undefined)
  .default('node')
  .describe("Node on the cluster's nodes")

export interface ClusterChoice {
  host?: string | undefined
  scheduler?: SchedulerName | undefined
  sshConfig?: string | undefined
  acceptHost?: string | undefined
  via?: string | undefined
}

/** Opens the cluster that the reader chose. `practice` is for a practice cluster. */
export async function openChosenCluster(
  { host, scheduler, sshConfig, acceptHost, via }: ClusterChoice,
  practice: PracticeOptions = {},
): Promise<Cluster> {
  const connection = { ...(sshConfig && { configFile: sshConfig }), ...(acceptHost && { acceptNewHost: acceptHost }) }
  return await openCluster({ host, scheduler, via, practice, ...connection })
}
