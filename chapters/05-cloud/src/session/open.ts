/** Opens the cloud that the reader asked for: Amazon's, one behind an endpoint, or one that starts on this machine. */
import { flag } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { shownUrl } from '@repo/common/output/secrets'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Cloud, s3Client, sqsClient } from '../cloud/clients.ts'
import { nameOf, type Place } from '../cloud/place.ts'
import { startMoto } from '../local/moto.ts'
import { startPracticeCloud } from '../local/practice-cloud.ts'

export interface OpenCloud extends Cloud, AsyncDisposable {
  /** The store in words, as in "Counting words in …". */
  name: string
}

export interface CloudOptions {
  /** Use the reader's account at Amazon Web Services. */
  aws?: boolean
  /** Start moto instead of the practice cloud: it has machines too. */
  machines?: boolean
  /** Stops the practice cloud or moto when aborted before it is ready. */
  signal?: AbortSignal | undefined
}

/** The option with which an example uses Amazon's cloud. */
export const awsOption = flag().describe('use your account at Amazon Web Services; it costs money')

/**
 * Opens Amazon's cloud with `aws`; otherwise the one that AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3,
 * AWS_ENDPOINT_URL_SQS …) names; otherwise starts the practice cloud or moto. Disposing of it closes the clients and
 * stops what was started.
 *
 * @throws UsageError when the settings contradict each other, an endpoint is not a URL, or there is no region
 */
export async function openCloud({
  aws = false,
  machines: withMachines = false,
  signal,
}: CloudOptions = {}): Promise<OpenCloud> {
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
  await s3.config.region().catch((error: Error) => {
    // Of a profile, if it is none of the variable.
    const [, received = process.env.AWS_REGION] = /region="(.*)" is not/.exec(error.message) ?? []
    throw new UsageError('AWS_REGION', received, 'a region such as eu-central-1, also by `aws configure`')
  })
  const owned = stack.move()
  return { places, s3, sqs, name: nameOf(storage), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Where the reader wants a service to be; undefined when they did not say. */
function placeFor(service: 'S3' | 'SQS' | 'EC2', aws: boolean): Place | undefined {
  const name = process.env[`AWS_ENDPOINT_URL_${service}`] ? `AWS_ENDPOINT_URL_${service}` : 'AWS_ENDPOINT_URL'
  const url = process.env[name]
  if (aws) {
    if (url) throw new UsageError('--aws', `with ${name}=${shownUrl(url)}`, 'one of the two, not both')
    return { kind: 'aws' }
  }
  if (!url) return undefined
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new UsageError(name, shownUrl(url), 'a URL that begins with http:// or https://')
  }
  // A store may be below a path, to which the SDK adds its own. A private store seldom cares about the region, but every
  // signature contains one.
  return { kind: 'endpoint', url: url.replace(/\/+$/, ''), region: process.env.AWS_REGION ?? 'us-east-1' }
}
