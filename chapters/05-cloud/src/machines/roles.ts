/**
 * Roles say what the programs on an instance may do at Amazon, without a key on the instance. Its metadata service
 * gives it credentials of its role, which last some hours. The SDK looks for them there.
 */
import {
  AddRoleToInstanceProfileCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  DeleteInstanceProfileCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  type IAMClient,
  ListAttachedRolePoliciesCommand,
  ListInstanceProfilesForRoleCommand,
  ListRolePoliciesCommand,
  ListRoleTagsCommand,
  PutRolePolicyCommand,
  paginateListRoles,
  RemoveRoleFromInstanceProfileCommand,
} from '@aws-sdk/client-iam'
import { ownPrefix, tagKey, tagValue } from '../cloud/ownership.ts'
import { unlessGone } from '../cloud/removal.ts'

/** Allows these actions on these resources, and nothing else. */
export interface Permission {
  actions: string[]
  /** Amazon resource names. */
  resources: string[]
  /** Only when these hold. */
  conditions?: Record<string, Record<string, string[]>>
}

/** What every worker needs to take messages from a queue, given by its Amazon resource name. */
export function takeMessages(queue: string): Permission {
  return {
    actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'],
    resources: [queue],
  }
}

/**
 * A bucket's Amazon resource name, in the partition in which a queue is: `aws`, or that of a government or a country. A
 * name in another partition allows nothing.
 */
export function bucketArn(bucket: string, queueArn: string): string {
  return `arn:${queueArn.split(':')[1] || 'aws'}:s3:::${bucket}`
}

const policyName = 'may'

/** Creates a role for instances, and the instance profile of the same name that hands it to them. */
export async function createRole(iam: IAMClient, name: string, permissions: Permission[]): Promise<void> {
  // The service has this name in every partition, also where addresses end in .amazonaws.com.cn.
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

/**
 * Deletes what `createRole` made, also when it was interrupted halfway. What others have added since, such as a policy that
 * an organisation attaches to every role, would keep the role alive: it is taken off, and lives on where it is not the role's.
 */
export async function deleteRole(iam: IAMClient, name: string): Promise<void> {
  const role = { RoleName: name }
  const { InstanceProfiles = [] } = (await unlessGone(iam.send(new ListInstanceProfilesForRoleCommand(role)))) ?? {}
  for (const { InstanceProfileName } of InstanceProfiles) {
    await unlessGone(iam.send(new RemoveRoleFromInstanceProfileCommand({ ...role, InstanceProfileName })))
  }
  await unlessGone(iam.send(new DeleteInstanceProfileCommand({ InstanceProfileName: name })))
  const { AttachedPolicies = [] } = (await unlessGone(iam.send(new ListAttachedRolePoliciesCommand(role)))) ?? {}
  for (const { PolicyArn } of AttachedPolicies) {
    await unlessGone(iam.send(new DetachRolePolicyCommand({ ...role, PolicyArn })))
  }
  const { PolicyNames = [] } = (await unlessGone(iam.send(new ListRolePoliciesCommand(role)))) ?? {}
  for (const PolicyName of PolicyNames) await unlessGone(iam.send(new DeleteRolePolicyCommand({ ...role, PolicyName })))
  await unlessGone(iam.send(new DeleteRoleCommand(role)))
}

/** The names of the account's roles that carry the chapter's tag. */
export async function ourRoles(iam: IAMClient): Promise<string[]> {
  const names: string[] = []
  for await (const { Roles = [] } of paginateListRoles({ client: iam }, {})) {
    for (const { RoleName = '' } of Roles) {
      // The list has no tags, and asking for the tags of every role in the account would take long.
      if (!RoleName.startsWith(ownPrefix)) continue
      const isOurs = async () => {
        const { Tags = [] } = await iam.send(new ListRoleTagsCommand({ RoleName }))
        if (Tags.some(({ Key, Value }) => Key === tagKey && Value === tagValue)) names.push(RoleName)
      }
      // Somebody may have deleted it since the list was made.
      await unlessGone(isOurs())
    }
  }
  return names
}
