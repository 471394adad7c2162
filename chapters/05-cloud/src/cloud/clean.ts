/** Finds and removes what programs of this chapter have left in a cloud: all that carries its tag, or a name of the form it gives. */
import { ElasticBeanstalkClient } from '@aws-sdk/client-elastic-beanstalk'
import { deleteApplication, environmentsOf, leftApplications } from '../beanstalk/amazon.ts'
import { waitForEnd } from '../beanstalk/platform.ts'
import { type Options, ourResources, removeOurResources } from '../machines/ec2.ts'
import { machineClients } from '../machines/resources.ts'
import { deleteRole, ourRoles } from '../machines/roles.ts'
import { deleteQueue, leftQueues } from '../queues.ts'
import { leftBuckets, removeBucket } from '../storage/buckets.ts'
import { type Cloud, clientConfig, type Place } from './cloud.ts'
import { explainErrors } from './errors.ts'

/** What is there, by kind; the names or ids. */
export type Leftovers = Record<
  'instances' | 'volumes' | 'securityGroups' | 'keyPairs' | 'roles' | 'applications' | 'queues' | 'buckets',
  string[]
>

/** Everything of this chapter that is in a cloud now, whoever made it. */
export async function findLeftovers({ s3, sqs }: Pick<Cloud, 's3' | 'sqs'>, machines: Place): Promise<Leftovers> {
  using clients = machineClients(machines)
  using beanstalk = beanstalkClient(machines)
  return {
    ...(await ourResources(clients.ec2)),
    roles: await ourRoles(clients.iam),
    applications: await leftApplications(beanstalk.client),
    queues: await leftQueues(sqs),
    buckets: await leftBuckets(s3),
  }
}

/** Removes everything of this chapter that is in a cloud now, and returns what that was. */
export async function removeLeftovers(
  { s3, sqs }: Pick<Cloud, 's3' | 'sqs'>,
  machines: Place,
  options: Options = {},
): Promise<Leftovers> {
  using clients = machineClients(machines)
  using beanstalk = beanstalkClient(machines)
  const left = await findLeftovers({ s3, sqs }, machines)
  // First, for it would replace instances that end; its own carry the tag as well.
  for (const application of left.applications) {
    const environments = () => environmentsOf(beanstalk.client, application)
    const names = (await environments()).map(({ name }) => name)
    await deleteApplication(beanstalk.client, application)
    await waitForEnd({ environments }, names, options.signal ? { signal: options.signal } : {})
  }
  await removeOurResources(clients.ec2, options)
  for (const role of left.roles) await deleteRole(clients.iam, role)
  for (const queue of left.queues) await deleteQueue(sqs, queue)
  for (const bucket of left.buckets) await removeBucket(s3, bucket)
  return left
}

/** A client for Elastic Beanstalk, whose errors are one clear line. */
export function beanstalkClient(place: Place): Disposable & { client: ElasticBeanstalkClient } {
  const client = explainErrors(new ElasticBeanstalkClient(clientConfig(place)), place)
  return { client, [Symbol.dispose]: () => client.destroy() }
}
