/**
 * Where a program's buckets, queues and machines are: in the practice cloud on this machine, behind AWS_ENDPOINT_URL, or
 * at Amazon's. The programs are the same; only what their clients are given differs.
 *
 * Credentials for Amazon, or for an endpoint that is the reader's, are found by the SDK itself, in the way all of Amazon's
 * tools find them; nothing here reads them.
 */
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { flag } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { maskPasswords } from '@repo/common/output/secrets'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { startMoto } from '../local/moto.ts'
import { startPracticeCloud } from '../local/practice-cloud.ts'
import { explainErrors } from './errors.ts'

/** Credentials of a server that we started ourselves. */
export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
}

/** What a client must know to find a service; JSON, so that a program hands it on to its workers (see `placesForWorkers`). */
export interface Place {
  kind: 'practice' | 'moto' | 'endpoint' | 'aws'
  /** Where requests go; undefined for Amazon, where each service and region has an address of its own. */
  url?: string | undefined
  /** When not given the SDK finds it in AWS_REGION or in its configuration. */
  region?: string | undefined
  /** Only of servers that we started ourselves; otherwise the SDK finds them. */
  credentials?: Credentials | undefined
}

/** A place for each service. They differ where a private cloud has a store and no queues. */
export interface Places {
  storage: Place
  queues: Place
  /** EC2, Elastic Beanstalk, IAM, SSM: the practice cloud has none of them, moto has. */
  machines: Place | undefined
}

export interface Cloud extends AsyncDisposable {
  places: Places
  s3: S3Client
  sqs: SQSClient
  /** For a sentence to the reader, as in "Counting words in …". */
  name: string
}

export interface CloudOptions {
  /** Use Amazon Web Services with the reader's own account. */
  aws?: boolean
  /** Start moto in place of the practice cloud: it also knows machines. */
  machines?: boolean
  /** Stops the practice cloud or moto when aborted before it is ready. */
  signal?: AbortSignal | undefined
}

/** The option that every example of the chapter has. */
export const awsOption = flag().describe('use your account at Amazon Web Services; it costs money')

/**
 * Opens the cloud that the reader asked for: Amazon's with `aws`, else the endpoint that AWS_ENDPOINT_URL (or
 * AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL_SQS …) names, else the practice cloud or moto, which is started. Disposing of it
 * closes the clients and stops what was started.
 *
 * @throws UsageError when the settings contradict one another or are no URLs
 */
export async function openCloud({
  aws = false,
  machines: withMachines = false,
  signal,
}: CloudOptions = {}): Promise<Cloud> {
  await using stack = new AsyncDisposableStack()
  const given = { storage: placeFor('S3', aws), queues: placeFor('SQS', aws), machines: placeFor('EC2', aws) }
  const start = withMachines ? startMoto : startPracticeCloud
  const isComplete = given.storage && given.queues && (given.machines || !withMachines)
  const own = isComplete ? undefined : stack.use(await start({ signal })).place
  const { storage = own, queues = own, machines = withMachines ? own : undefined } = given
  if (!storage || !queues) throw new Error('no place for storage and queues')

  const places = { storage, queues, machines }
  const s3 = stack.adopt(s3Client(storage), (client) => client.destroy())
  const sqs = stack.adopt(sqsClient(queues), (client) => client.destroy())
  await s3.config.region().catch(() => {
    throw new UsageError('AWS_REGION', process.env.AWS_REGION, 'a region such as eu-central-1, also by `aws configure`')
  })
  const owned = stack.move()
  return { places, s3, sqs, name: nameOf(storage), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** A place in words. */
export function nameOf({ kind, url = '' }: Place): string {
  if (kind === 'aws') return 'Amazon Web Services'
  if (kind === 'moto') return 'moto on this machine'
  return kind === 'practice' ? 'the practice cloud on this machine' : `the cloud at ${maskPasswords(url)}`
}

/** Whether what is created there costs money: also where AWS_ENDPOINT_URL names an address of Amazon's. */
export function isAmazon({ kind, url }: Place): boolean {
  return kind === 'aws' || /(^|\.)(amazonaws\.com(\.cn)?|api\.aws)$/.test(URL.parse(url ?? '')?.hostname ?? '')
}

/** Where the reader wants one service to be; undefined when nothing was said. */
function placeFor(service: 'S3' | 'SQS' | 'EC2', aws: boolean): Place | undefined {
  const name = process.env[`AWS_ENDPOINT_URL_${service}`] ? `AWS_ENDPOINT_URL_${service}` : 'AWS_ENDPOINT_URL'
  const url = process.env[name]
  if (aws) {
    if (url) throw new UsageError('--aws', `with ${name}=${maskPasswords(url)}`, 'one of the two, not both')
    return { kind: 'aws' }
  }
  if (!url) return undefined
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new UsageError(name, maskPasswords(url), 'a URL that begins with http:// or https://')
  }
  // A store of one's own seldom cares about the region, but every signature contains one.
  return { kind: 'endpoint', url, region: process.env.AWS_REGION ?? 'us-east-1' }
}

/** What every client of the SDK is given: `new EC2Client(clientConfig(place))`. */
export function clientConfig({ url, region, credentials }: Place) {
  return {
    ...(url && { endpoint: url }),
    ...(region && { region }),
    ...(credentials && { credentials }),
    // Failed connections, throttling and errors of the server are tried again, after longer and longer random waits.
    retryMode: 'standard',
    maxAttempts: 5,
    requestHandler: {
      connectionTimeout: 5_000,
      // A long poll of a queue is silent for 20 s.
      requestTimeout: 60_000,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  }
}
/** A request that waits for a connection pays its latency twice. */
const agent = { keepAlive: true, maxSockets: 256 }

/** A client for buckets, whose errors are one clear line. */
export function s3Client(place: Place, more: ConstructorParameters<typeof S3Client>[0] = {}): S3Client {
  // bucket.host needs a name that resolves; host/bucket works everywhere but at Amazon's newest regions.
  const client = new S3Client({
    ...clientConfig(place),
    forcePathStyle: place.url !== undefined,
    // A bucket may be in another region than the client.
    followRegionRedirects: place.url === undefined,
    ...more,
  })
  return explainErrors(client, place)
}

/** A client for queues, whose errors are one clear line. */
export function sqsClient(place: Place, more: ConstructorParameters<typeof SQSClient>[0] = {}): SQSClient {
  // A queue's URL names the server as it knows itself, which is not where a proxy or a container publishes it.
  const client = new SQSClient({ ...clientConfig(place), useQueueUrlAsEndpoint: place.url === undefined, ...more })
  return explainErrors(client, place)
}

const variable = 'DISTRIBUTED_COMPUTING_PLACES'

/** A place without keys, for what others may read: on an instance the SDK finds those of the instance's role. */
export function anonymous({ kind, url, region }: Place): Place {
  return { kind, url, region }
}

/** The environment in which a worker's `placesFromEnvironment` finds the same places. */
export function placesForWorkers(places: Places): Record<string, string> {
  return { [variable]: JSON.stringify(places) }
}

/** The places that the program which started this one uses. */
export function placesFromEnvironment(): Places {
  const text = process.env[variable]
  if (!text) throw new UsageError(variable, text, 'the places of a cloud, as the program that starts workers sets them')
  return JSON.parse(text) as Places
}
