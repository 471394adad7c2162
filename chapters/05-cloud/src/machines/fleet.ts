/** Machines for wordcount's workers: instances of EC2 with all that they need, or processes of this machine. */
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Cloud, isAmazon } from '../cloud/cloud.ts'
import type { InstanceType } from '../cloud/prices.ts'
import { instanceMetadataUrl } from '../local/instance-metadata.ts'
import { type QueueUrls, queueArn } from '../queues.ts'
import { uploadAddresses } from '../wordcount/addresses.ts'
import { jobsOf, mapReduce } from '../wordcount/map-reduce.ts'
import { bootedHere, ec2Machines, localMachines, type Machines } from './machines.ts'
import { countPermissions } from './permissions.ts'
import { countUserData, machineClients, prepareInstances, roleEnvironment } from './resources.ts'

export interface FleetOptions {
  cloud: Cloud
  bucket: string
  queues: QueueUrls
  /** How long a worker has a job before it comes back; 30. */
  visibilitySeconds?: number
  type: InstanceType
  /** After how many minutes each instance ends by itself. */
  minutes: number
  /** The only addresses that may log in. */
  sshFrom?: string | undefined
  signal: AbortSignal
  /** Told of each thing that was made. */
  onStep?: (what: string, result: string) => void
}

export interface Fleet extends Machines {
  /** The script that has a machine run wordcount's worker on these queues. */
  userData: string
  /** Whether machines that are launched really work: known of Amazon's, and of processes here. */
  boots: boolean
  /** The private half of the instances' key pair. */
  privateKey: string | undefined
}

/** Makes what machines need; disposing of it terminates those that were launched and removes everything again. */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { cloud, bucket, queues, visibilitySeconds = 30, type, minutes, sshFrom, signal, onStep } = options
  const { s3, sqs, places } = cloud
  const place = places.machines
  await using stack = new AsyncDisposableStack()
  const amazon = place !== undefined && isAmazon(place)
  const work = {
    queues,
    visibilitySeconds,
    worker: 'instance',
    ...(amazon && { metadata: { url: instanceMetadataUrl, everyMs: 5_000 } }),
  }
  const userData = await countUserData({ s3, places, bucket, work, endsAfterMinutes: minutes })
  const boot = { s3, environment: roleEnvironment(places.storage), signal }
  const handOver = (machines: Machines, privateKey?: string): Fleet => {
    const owned = stack.move()
    const boots = place?.kind !== 'endpoint' || amazon
    return { ...machines, userData, boots, privateKey, [Symbol.asyncDispose]: () => owned.disposeAsync() }
  }
  if (!place) {
    onStep?.('no instances', 'a process each, that does what the user data says but for installing Node')
    return handOver(stack.use(await localMachines(boot)))
  }

  const clients = stack.use(machineClients(place))
  const [queue, reports] = [await queueArn(sqs, queues.jobs), await queueArn(sqs, queues.results)]
  const permissions = countPermissions({ bucket: `arn:aws:s3:::${bucket}`, queue }, reports)
  const resources = stack.use(await prepareInstances(clients, { type, sshFrom, permissions }))
  const { name, image, securityGroup } = resources.request
  onStep?.('image', `${image}, the newest Amazon Linux 2023`)
  onStep?.('key pair', name)
  onStep?.('security group', `${securityGroup}: ${sshFrom ? `SSH from ${sshFrom}` : 'nothing may come in'}`)
  onStep?.('role', 'may take jobs, report, read its bucket and write results, and nothing else')
  const instances = ec2Machines(clients.ec2, resources.request, signal)
  if (place.kind !== 'moto') return handOver(stack.use(instances), resources.privateKey)
  onStep?.('no machine boots', 'moto only keeps account: a process here does what each user data says')
  return handOver(stack.use(await bootedHere(instances, clients.ec2, boot)), resources.privateKey)
}

/** Counts the words of all addresses on the machines of a fleet, and returns how many there are. */
export async function countOn(
  fleet: Fleet,
  {
    cloud: { s3, sqs },
    bucket,
    queues,
    signal,
    onProgress,
  }: Pick<FleetOptions, 'cloud' | 'bucket' | 'queues' | 'signal'> & {
    onProgress?: (share: number, what: string) => void
  },
): Promise<number> {
  const { texts } = await uploadAddresses(s3, bucket, {
    signal,
    onProgress: (share) => onProgress?.(share, 'uploading the addresses'),
  })
  const jobs = jobsOf(texts, { bucket, prefix: 'results/', count: 12, repeat: 1 })
  let done = 0
  const { words } = await mapReduce({ s3, sqs }, queues, jobs, {
    signal,
    workersGone: fleet.failed,
    onReport: ({ outcome }) => outcome === 'done' && onProgress?.(++done / jobs.length, 'counting on the instances'),
  })
  return words
}
