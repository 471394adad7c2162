/**
 * Roles for instances: what a program on an instance may do at Amazon's, without a key on it. The instance is given
 * credentials of the role that last some hours, through its metadata service, where the SDK looks for them.
 */
import {
  AddRoleToInstanceProfileCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  DeleteInstanceProfileCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  type IAMClient,
  ListRolesCommand,
  ListRoleTagsCommand,
  NoSuchEntityException,
  PutRolePolicyCommand,
  RemoveRoleFromInstanceProfileCommand,
} from '@aws-sdk/client-iam'
import { tagKey, tagValue } from '../cloud/tag.ts'
import { ownPrefix } from '../storage/buckets.ts'
import type { Permission } from './permissions.ts'

const policyName = 'may'

/** Creates a role for instances, whose name begins with the chapter's prefix, and the instance profile of the same name that hands it to them. */
export async function createRole(iam: IAMClient, name: string, permissions: Permission[]): Promise<void> {
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  }
  const policy = {
    Version: '2012-10-17',
    Statement: permissions.map(({ actions, resources, conditions }) => ({
      Effect: 'Allow',
      Action: actions,
      Resource: resources,
      ...(conditions && { Condition: conditions }),
    })),
  }
  const Tags = [{ Key: tagKey, Value: tagValue }]
  await iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: JSON.stringify(trust), Tags }))
  await iam.send(
    new PutRolePolicyCommand({ RoleName: name, PolicyName: policyName, PolicyDocument: JSON.stringify(policy) }),
  )
  await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: name, Tags }))
  await iam.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName: name, RoleName: name }))
}

/** Deletes a role that `createRole` made, or what there is of it. */
export async function deleteRole(iam: IAMClient, name: string): Promise<void> {
  const profile = { InstanceProfileName: name, RoleName: name }
  await unlessGone(iam.send(new RemoveRoleFromInstanceProfileCommand(profile)))
  await unlessGone(iam.send(new DeleteInstanceProfileCommand({ InstanceProfileName: name })))
  await unlessGone(iam.send(new DeleteRolePolicyCommand({ RoleName: name, PolicyName: policyName })))
  await unlessGone(iam.send(new DeleteRoleCommand({ RoleName: name })))
}

/** The names of the account's roles that carry the chapter's tag. */
export async function ourRoles(iam: IAMClient): Promise<string[]> {
  const names: string[] = []
  let Marker: string | undefined
  do {
    const page = await iam.send(new ListRolesCommand({ ...(Marker && { Marker }) }))
    for (const { RoleName = '' } of page.Roles ?? []) {
      // The list has no tags, and asking for those of every role of an account would take long.
      if (!RoleName.startsWith(ownPrefix)) continue
      const { Tags = [] } = await iam.send(new ListRoleTagsCommand({ RoleName }))
      if (Tags.some(({ Key, Value }) => Key === tagKey && Value === tagValue)) names.push(RoleName)
    }
    Marker = page.IsTruncated ? page.Marker : undefined
  } while (Marker)
  return names
}

async function unlessGone(request: Promise<unknown>): Promise<void> {
  try {
    await request
  } catch (error) {
    if (!(error instanceof NoSuchEntityException)) throw error
  }
}
