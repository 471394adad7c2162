/**
 * Where buckets, queues and machines are: in a cloud that we started on this machine, behind an endpoint, or at Amazon.
 * The programs are the same everywhere; only their clients' place differs. A place is plain data, so a program can hand
 * it to its workers.
 */
import { UsageError } from '@repo/common/example/usage'
import { shownUrl } from '@repo/common/output/secrets'

/** An access key for a server that we started ourselves. */
export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
}

/** What a client needs to find a service. */
export interface Place {
  kind: 'practice' | 'moto' | 'endpoint' | 'aws'
  /** Where requests go. Undefined for Amazon, where each service and region has its own address. */
  url?: string | undefined
  /** When undefined, the SDK uses AWS_REGION or its configuration. */
  region?: string | undefined
  /** Set only for servers that we started ourselves. Everywhere else the SDK finds the credentials. */
  credentials?: Credentials | undefined
}

/** One place per service. They differ where a private cloud has a store but no queues. */
export interface Places {
  storage: Place
  queues: Place
  /** For EC2, Elastic Beanstalk, IAM and SSM. moto has them, the practice cloud does not. */
  machines: Place | undefined
}

/** The environment in which another program finds the credentials of a server that we started ourselves. */
export function keysOf({ credentials }: Place): NodeJS.ProcessEnv {
  if (!credentials) return {}
  return { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey }
}

/** A place in words, for the reader. */
export function nameOf({ kind, url = '' }: Place): string {
  if (kind === 'aws') return 'Amazon Web Services'
  if (kind === 'moto') return 'moto on this machine'
  return kind === 'practice' ? 'the practice cloud on this machine' : `the cloud at ${shownUrl(url)}`
}

/** Whether resources created there cost money. Also true when AWS_ENDPOINT_URL names one of Amazon's addresses. */
export function isAmazon({ kind, url }: Place): boolean {
  return kind === 'aws' || /(^|\.)(amazonaws\.com(\.cn)?|api\.aws)$/.test(URL.parse(url ?? '')?.hostname ?? '')
}

/** The same places without keys, for text that others can read. On an instance the SDK has the role's credentials. */
export function withoutKeys({ storage, queues }: Places): Places {
  const open = ({ kind, url, region }: Place): Place => ({ kind, url, region })
  return { storage: open(storage), queues: open(queues), machines: undefined }
}

const variable = 'DISTRIBUTED_COMPUTING_PLACES'

/** The environment in which a worker's `placesFromEnvironment` finds these places. */
export function placesForWorkers(places: Places): Record<string, string> {
  return { [variable]: JSON.stringify(places) }
}

/**
 * The places that this program was given by the one that started it.
 *
 * @throws UsageError when there are none
 */
export function placesFromEnvironment(): Places {
  const text = process.env[variable]
  if (!text) throw new UsageError(variable, text, 'the places of a cloud, as the program that starts workers sets them')
  return JSON.parse(text) as Places
}
