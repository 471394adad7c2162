/** The workers of wordcount on machines of their own. They are used exactly like the processes of workers.ts. */
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { isAmazon, withoutKeys } from '../cloud/place.ts'
import { instanceMetadataUrl } from '../local/instance-metadata.ts'
import { type Fleet, type FleetOptions, openFleet } from '../machines/fleet.ts'
import { bucketArn, type Permission, takeMessages } from '../machines/roles.ts'
import { type QueueUrls, queueArn } from '../queues.ts'
import { uploadAddresses } from './addresses.ts'
import { jobsOf, mapReduce } from './map-reduce.ts'
import { type Workers, workerEnvironment } from './workers.ts'

export interface InstanceOptions extends Omit<FleetOptions, 'program' | 'environment' | 'role'> {
  queues: QueueUrls
  /** The queue's visibility timeout; 30. */
  visibilitySeconds?: number
}

/** Opens a fleet whose machines each run one worker on these queues. */
export async function openCountingFleet(options: InstanceOptions): Promise<Fleet> {
  const { queues, visibilitySeconds = 30, ...given } = options
  const { s3, sqs, places } = given.cloud
  const metadata = { url: instanceMetadataUrl, everyMs: 5_000 }
  const onAmazon = places.machines !== undefined && isAmazon(places.machines)
  const work = { queues, visibilitySeconds, worker: 'instance', ...(onAmazon && { metadata }) }
  return await openFleet({
    ...given,
    program: new URL('./count.program.ts', import.meta.url),
    environment: { ...workerEnvironment(withoutKeys(places), work), AWS_REGION: await s3.config.region() },
    role: {
      permissions: permissions(given.bucket, await queueArn(sqs, queues.jobs), await queueArn(sqs, queues.results)),
      inWords: 'may take jobs and put them back, report, read its bucket and write results, and nothing else',
    },
  })
}

/** What a worker may do: take jobs and put them back, report, read the bucket and write results. */
function permissions(bucket: string, jobsArn: string, reportsArn: string): Permission[] {
  const objects = bucketArn(bucket, jobsArn)
  return [
    takeMessages(jobsArn),
    { actions: ['sqs:SendMessage'], resources: [jobsArn, reportsArn] },
    { actions: ['s3:GetObject'], resources: [`${objects}/*`] },
    { actions: ['s3:PutObject'], resources: [`${objects}/results/*`] },
  ]
}

/** Launches machines with one worker each. Disposing of it terminates them and removes everything made for them. */
export async function launchWorkers(count: number, options: InstanceOptions): Promise<Workers> {
  await using stack = new AsyncDisposableStack()
  const fleet = stack.use(await openCountingFleet(options))
  const ids = await fleet.launch(count, fleet.userData)
  options.onStep?.('launch', ids.join(', '))
  const owned = stack.move()
  return { processes: [], gone: fleet.failed, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

export interface CountOptions extends Pick<InstanceOptions, 'cloud' | 'bucket' | 'queues' | 'signal'> {
  /** Called with the share that is done, and the current step. */
  onProgress?: (share: number, what: string) => void
}

/** Counts the words of all addresses on the machines of a fleet. Returns their number. */
export async function countOn(fleet: Fleet, options: CountOptions): Promise<number> {
  const { cloud, bucket, queues, signal, onProgress } = options
  const { texts } = await uploadAddresses(cloud.s3, bucket, {
    signal,
    onProgress: (share) => onProgress?.(share, 'uploading the addresses'),
  })
  const jobs = jobsOf(texts, { bucket, prefix: 'results/', count: 12, repeat: 1 })
  let done = 0
  const { words } = await mapReduce(cloud, queues, jobs, {
    signal,
    workersGone: fleet.failed,
    onReport: ({ outcome }) => outcome === 'done' && onProgress?.(++done / jobs.length, 'counting on the instances'),
  })
  return words
}
