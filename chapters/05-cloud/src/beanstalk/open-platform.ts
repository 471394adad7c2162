/** Chooses the platform for the two tiers, and sets the environment variables of their programs. */
import { randomBytes } from 'node:crypto'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Cloud } from '../cloud/clients.ts'
import { ownName } from '../cloud/ownership.ts'
import { placesForWorkers, withoutKeys } from '../cloud/place.ts'
import { createSecurityGroup } from '../machines/ec2.ts'
import { machineClients, removeRun } from '../machines/resources.ts'
import { bucketArn, createRole } from '../machines/roles.ts'
import { queueArn } from '../queues.ts'
import { beanstalkClient, createBeanstalk } from './amazon.ts'
import { localPlatform } from './local.ts'
import { webPermissions, workerPermissions } from './permissions.ts'
import { type Platform, waitForEnd } from './platform.ts'
import type { DaemonOptions } from './sqs-daemon.ts'

export interface OpenPlatformOptions {
  cloud: Cloud
  bucket: string
  /** The queue between the tiers. */
  queueUrl: string
  /** The only addresses that may use the web tier, as `203.0.113.7/32`. When undefined, nobody may, except on this machine. */
  webFrom?: string | undefined
  signal: AbortSignal
  /** Called with every answer of a worker tier on this machine. */
  onDelivery?: DaemonOptions['onDelivery']
}

export interface OpenPlatform extends Platform {
  /** A new name for an environment. All environments of a region share one set of names. */
  nameFor: (purpose: string) => string
  /** The environment variables of both tiers. */
  settings: Record<string, string>
  /** Whether the tiers really run. With moto, which only keeps records of them, they do not. */
  runs: boolean
}

/** Opens Elastic Beanstalk where the cloud has machines, or processes here. Disposing of it ends all environments. */
export async function openPlatform(options: OpenPlatformOptions): Promise<OpenPlatform> {
  const { cloud, bucket, queueUrl, webFrom, signal, onDelivery } = options
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
  const clients = stack.use(machineClients(place))
  const { client: beanstalk } = stack.use(beanstalkClient(place))
  const queue = await queueArn(sqs, queueUrl)
  const resources = { bucket: bucketArn(bucket, queue), queue }
  const application = ownName()
  stack.defer(() => removeRun(clients, application))
  await createRole(clients.iam, application, [...webPermissions(resources), ...workerPermissions(resources)])
  const entrance = webFrom === undefined ? undefined : { port: 80, from: webFrom }
  const securityGroups = {
    web: await createSecurityGroup(clients.ec2, application, { purpose: 'web', entrance }),
    worker: await createSecurityGroup(clients.ec2, application, { purpose: 'worker' }),
  }
  const platform = stack.use(
    await createBeanstalk({
      beanstalk,
      s3,
      bucket,
      queueUrl,
      application,
      instanceProfile: application,
      securityGroups,
    }),
  )
  // Delete the application only after its environments have ended.
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
      ...placesForWorkers(withoutKeys(places)),
      AWS_REGION: await s3.config.region(),
    },
    runs: place.kind !== 'moto',
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
