/** Finds and removes what the chapter's programs have left behind in a cloud, recognised by its tag or its name. */
import { beanstalkClient, deleteApplication, environmentsOf, leftApplications } from '../beanstalk/amazon.ts'
import { waitForEnd } from '../beanstalk/platform.ts'
import type { Cloud } from '../cloud/clients.ts'
import type { Place } from '../cloud/place.ts'
import { findEach, type Kind, type Left, type Removal, type RemovalOptions, removeEach } from '../cloud/removal.ts'
import { type Ec2Kind, ec2Kinds, type Options } from '../machines/ec2.ts'
import { machineClients } from '../machines/resources.ts'
import { deleteRole, ourRoles } from '../machines/roles.ts'
import { type StoredKind, storedKinds } from './stored.ts'

export type LeftoverKind = 'applications' | Ec2Kind | 'roles' | StoredKind

/** Names or ids, by kind. */
export type Leftovers = Record<LeftoverKind, string[]>

type Clients = Pick<Cloud, 's3' | 'sqs'>

/** Returns everything of this chapter that is in a cloud now, no matter which program created it. */
export async function findLeftovers(
  cloud: Clients,
  machines: Place,
): Promise<{ found: Leftovers; notAsked: Left<LeftoverKind>[] }> {
  return await withKinds(cloud, machines, {}, findEach)
}

/** Removes everything of this chapter that is in a cloud now, and returns what it removed and what is left. */
export async function removeLeftovers(
  cloud: Clients,
  machines: Place,
  options: RemovalOptions = {},
): Promise<Removal<LeftoverKind>> {
  return await withKinds(cloud, machines, options, (kinds) => removeEach(kinds, options))
}

async function withKinds<Result>(
  cloud: Clients,
  machines: Place,
  { signal }: Options,
  work: (kinds: Record<LeftoverKind, Kind>) => Promise<Result>,
): Promise<Result> {
  using clients = machineClients(machines)
  using beanstalk = beanstalkClient(machines)
  return await work({
    // Applications first: Beanstalk replaces instances that end, and its instances carry the tag too.
    applications: {
      find: () => leftApplications(beanstalk.client),
      async remove(application) {
        const environments = () => environmentsOf(beanstalk.client, application)
        const names = (await environments()).map(({ name }) => name)
        await deleteApplication(beanstalk.client, application)
        await waitForEnd({ environments }, names, signal ? { signal } : {})
      },
    },
    ...ec2Kinds(clients.ec2, { signal }),
    roles: { find: () => ourRoles(clients.iam), remove: (name) => deleteRole(clients.iam, name) },
    ...storedKinds(cloud, { signal }),
  })
}
