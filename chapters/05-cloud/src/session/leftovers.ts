/** Finds and removes what the chapter's programs have left behind in a cloud, recognised by its tag or its name. */
import { beanstalkClient, deleteApplication, environmentsOf, leftApplications } from '../beanstalk/amazon.ts'
import { waitForEnd } from '../beanstalk/platform.ts'
import type { Cloud } from '../cloud/clients.ts'
import type { Place } from '../cloud/place.ts'
import { type Options, ourResources, removeOurResources } from '../machines/ec2.ts'
import { machineClients } from '../machines/resources.ts'
import { deleteRole, ourRoles } from '../machines/roles.ts'
import { deleteQueue, leftQueues } from '../queues.ts'
import { leftBuckets, removeBucket } from '../storage/buckets.ts'

/** Names or ids, by kind. */
export type Leftovers = Record<
  'instances' | 'volumes' | 'securityGroups' | 'keyPairs' | 'roles' | 'applications' | 'queues' | 'buckets',
  string[]
>

type Clients = Pick<Cloud, 's3' | 'sqs'>

/** Returns everything of this chapter that is in a cloud now, no matter which program created it. */
export async function findLeftovers({ s3, sqs }: Clients, machines: Place): Promise<Leftovers> {
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

/** Removes everything of this chapter that is in a cloud now, and returns what it removed. */
export async function removeLeftovers(
  { s3, sqs }: Clients,
  machines: Place,
  options: Options = {},
): Promise<Leftovers> {
  using clients = machineClients(machines)
  using beanstalk = beanstalkClient(machines)
  const left = await findLeftovers({ s3, sqs }, machines)
  // Applications first: Beanstalk replaces instances that end, and its instances carry the tag too.
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
