/** Chooses the platform for the two tiers, and says what their programs find in their environment there. */
import { randomBytes } from 'node:crypto'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { beanstalkClient } from '../cloud/clean.ts'
import { anonymous, type Cloud, placesForWorkers } from '../cloud/cloud.ts'
import { webPermissions, workerPermissions } from '../machines/permissions.ts'
import { machineClients } from '../machines/resources.ts'
import { createRole, deleteRole } from '../machines/roles.ts'
import { queueArn } from '../queues.ts'
import { ownName } from '../storage/buckets.ts'
import { createBeanstalk } from './amazon.ts'
import { localPlatform } from './local.ts'
import { type Platform, waitForEnd } from './platform.ts'
import type { DaemonOptions } from './sqs-daemon.ts'

export interface OpenPlatformOptions {
  cloud: Cloud
  bucket: string
  /** The queue between the tiers. */
  queueUrl: string
  signal: AbortSignal
  /** Told of every answer of a worker tier of this machine. */
  onDelivery?: DaemonOptions['onDelivery']
}

export interface OpenPlatform extends Platform {
  /** The names of environments are shared by a whole region: this one is new. */
  nameFor: (purpose: string) => string
  /** The environment variables of both tiers. */
  settings: Record<string, string>
  /** Whether the tiers really run: not with moto, which only keeps account of them. */
  runs: boolean
}

/** Elastic Beanstalk where the cloud has machines, else processes here. Disposing of it ends all environments, and waits. */
export async function openPlatform(options: OpenPlatformOptions): Promise<OpenPlatform> {
  const { cloud, bucket, queueUrl, signal, onDelivery } = options
  const { s3, sqs, places } = cloud
  const place = places.machines
  const run = randomBytes(3).toString('hex')
  const nameFor = (purpose: string) => `words-${run}-${purpose}`
  const settings = { BUCKET: bucket, QUEUE_URL: queueUrl }
  if (!place) {
    const platform = await localPlatform({ sqs, queueUrl, signal, ...(onDelivery && { onDelivery }) })
    return { ...platform, nameFor, settings: { ...settings, ...placesForWorkers(places) }, runs: true }
  }

  await using stack = new AsyncDisposableStack()
  const { iam } = stack.use(machineClients(place))
  const { client: beanstalk } = stack.use(beanstalkClient(place))
  const resources = { bucket: `arn:aws:s3:::${bucket}`, queue: await queueArn(sqs, queueUrl) }
  const application = ownName()
  stack.defer(() => deleteRole(iam, application))
  await createRole(iam, application, [...webPermissions(resources), ...workerPermissions(resources)])
  const platform = stack.use(
    await createBeanstalk({ beanstalk, s3, bucket, queueUrl, application, instanceProfile: application }),
  )
  // The application is deleted only when its environments have let go of everything.
  stack.defer(async () => {
    const all = await platform.environments()
    for (const { name, status } of all) if (status !== 'Terminating') await platform.terminate(name)
    const names = all.map(({ name }) => name)
    await waitForEnd(platform, names, { everyMs: place.kind === 'moto' ? 100 : 5_000 })
  })
  const owned = stack.move()
  return {
    ...platform,
    nameFor,
    settings: {
      ...settings,
      ...placesForWorkers({
        storage: anonymous(places.storage),
        queues: anonymous(places.queues),
        machines: undefined,
      }),
      AWS_REGION: await s3.config.region(),
    },
    runs: place.kind !== 'moto',
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
