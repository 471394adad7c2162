/**
 * The steps from nothing to running instances of EC2, and back to nothing. Each request that creates something also
 * tags it, so that nothing can be left behind untagged.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  AttachVolumeCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateKeyPairCommand,
  CreateSecurityGroupCommand,
  CreateVolumeCommand,
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteVolumeCommand,
  DescribeInstanceAttributeCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  DescribeVpcsCommand,
  type EC2Client,
  type Instance,
  ModifyInstanceAttributeCommand,
  paginateDescribeInstances,
  type ResourceType,
  RunInstancesCommand,
  StopInstancesCommand,
  type TagSpecification,
  TerminateInstancesCommand,
  waitUntilInstanceRunning,
  waitUntilInstanceStopped,
  waitUntilVolumeAvailable,
  waitUntilVolumeInUse,
} from '@aws-sdk/client-ec2'
import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm'
import type { CloudError } from '../cloud/errors.ts'
import { tagKey, tagValue } from '../cloud/ownership.ts'
import { mostInstances } from '../cloud/prices.ts'
import { type Kind, unlessGone } from '../cloud/removal.ts'

/** How long Amazon may take for one step. Instances boot, stop and end within a minute or two. */
const stepTimeoutS = 300
const pollS = 3

const waiting = (client: EC2Client, signal: AbortSignal | undefined) => ({
  client,
  maxWaitTime: stepTimeoutS,
  minDelay: pollS,
  maxDelay: 5 * pollS,
  ...(signal && { abortSignal: signal }),
})

export interface Options {
  signal?: AbortSignal | undefined
}

/** The chapter's tag, and a name that people see in the console. */
function tagged(type: ResourceType, name: string): TagSpecification {
  return {
    ResourceType: type,
    Tags: [
      { Key: tagKey, Value: tagValue },
      { Key: 'Name', Value: name },
    ],
  }
}

/** What carries the chapter's tag, or of that only what has a run's own name. */
const ours = (name?: string) => [
  { Name: `tag:${tagKey}`, Values: [tagValue] },
  ...(name === undefined ? [] : [{ Name: 'tag:Name', Values: [name] }]),
]

/** Creates a key pair for logging in. Returns its private half, which Amazon does not keep. */
export async function createKeyPair(ec2: EC2Client, name: string): Promise<string> {
  const { KeyMaterial } = await ec2.send(
    new CreateKeyPairCommand({ KeyName: name, KeyType: 'ed25519', TagSpecifications: [tagged('key-pair', name)] }),
  )
  if (!KeyMaterial) throw new Error('the key pair came without its private half')
  return KeyMaterial
}

/** Who may come in through a firewall: to one port, from IPv4 addresses such as `203.0.113.7/32`. */
export interface Entrance {
  port: number
  from: string
}

export interface FirewallOptions {
  /** By default nothing may come in. */
  entrance?: Entrance | undefined
  /** Where a run has several firewalls: distinguishes them. */
  purpose?: string
}

/**
 * Creates a firewall for instances in the account's default network. Everything may go out. Nothing may come in, except
 * through the entrance. Returns its id.
 *
 * @param name the run's own name
 */
export async function createSecurityGroup(
  ec2: EC2Client,
  name: string,
  { entrance, purpose }: FirewallOptions = {},
): Promise<string> {
  const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['true'] }] }))
  const [vpc] = Vpcs
  if (!vpc) throw new Error('the account has no default network in this region: `aws ec2 create-default-vpc` makes one')
  const { GroupId = '' } = await ec2.send(
    new CreateSecurityGroupCommand({
      GroupName: purpose === undefined ? name : `${name}-${purpose}`,
      Description: entrance ? `port ${entrance.port} from ${entrance.from}` : 'Nothing may come in',
      VpcId: vpc.VpcId,
      TagSpecifications: [tagged('security-group', name)],
    }),
  )
  if (entrance) {
    const { port, from } = entrance
    const range = { CidrIp: from, Description: 'the reader' }
    const rule = { IpProtocol: 'tcp', FromPort: port, ToPort: port, IpRanges: [range] }
    try {
      await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [rule] }))
    } catch (error) {
      await ec2.send(new DeleteSecurityGroupCommand({ GroupId })).catch(() => {})
      throw error
    }
  }
  return GroupId
}

/** The id of the newest Amazon Linux 2023. It differs between regions and changes every other week. */
export async function newestImage(ssm: SSMClient, architecture: 'x86_64' | 'arm64'): Promise<string> {
  const Name = `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${architecture}`
  const { Parameter } = await ssm.send(new GetParameterCommand({ Name }))
  if (!Parameter?.Value) throw new Error(`the region has no parameter ${Name}`)
  return Parameter.Value
}

export interface LaunchRequest extends Options {
  name: string
  count: number
  image: string
  instanceType: string
  /** The script that each instance runs when it boots for the first time. */
  userData: string
  keyName?: string
  securityGroup: string
  /** The instance profile whose role the programs on the instances get. */
  instanceProfile?: string
}

/**
 * Starts instances and returns their ids. They are not running yet.
 *
 * @throws an Error when this chapter would then have more than `mostInstances` instances in the region. It counts them
 *   before the launch, and once more after it, because another program may have launched some in between.
 */
export async function launchInstances(ec2: EC2Client, request: LaunchRequest): Promise<string[]> {
  const { name, count, image, instanceType, userData, keyName, securityGroup, instanceProfile, signal } = request
  const there = (await ourInstances(ec2)).length
  if (there + count > mostInstances) {
    throw new Error(`${count} more instances would make ${there + count}, and the ceiling is ${mostInstances}`)
  }
  const command = new RunInstancesCommand({
    ImageId: image,
    InstanceType: instanceType as 't3.micro',
    MinCount: count,
    MaxCount: count,
    KeyName: keyName,
    SecurityGroupIds: [securityGroup],
    ...(instanceProfile && { IamInstanceProfile: { Name: instanceProfile } }),
    UserData: Buffer.from(userData).toString('base64'),
    // #region launch
    // IMDSv2 only: version 1 gives the role's credentials to any program that can be tricked into fetching a URL.
    MetadataOptions: { HttpEndpoint: 'enabled', HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    // The script's `shutdown` terminates the instance, even if nobody is left to do it.
    InstanceInitiatedShutdownBehavior: 'terminate',
    BlockDeviceMappings: [
      {
        DeviceName: '/dev/xvda',
        Ebs: { VolumeSize: 8, VolumeType: 'gp3', Encrypted: true, DeleteOnTermination: true },
      },
    ],
    TagSpecifications: [tagged('instance', name), tagged('volume', name)],
    // #endregion launch
  })
  const ids = await run(ec2, command, { signal })
  // Of two programs that did not see each other before, at least the one that launched last now sees both.
  const others = idsOf(await ourInstances(ec2)).filter((id) => !ids.includes(id))
  if (others.length + ids.length > mostInstances) {
    await terminateInstances(ec2, ids, { signal })
    throw new Error(
      `another program launched instances at the same time: with these there were ${others.length + ids.length}, and the ceiling is ${mostInstances}`,
    )
  }
  return ids
}

async function run(ec2: EC2Client, command: RunInstancesCommand, { signal }: Options): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { Instances = [] } = await ec2.send(command)
      return idsOf(Instances)
    } catch (error) {
      // EC2 needs some seconds to learn of a new role.
      const { name: code, message } = error as CloudError
      if (attempt === 10 || code !== 'InvalidParameterValue' || !/instance profile/i.test(message)) throw error
      await delay(3_000, undefined, { signal })
    }
  }
}

/** The chapter's instances that have not ended; with a run's name, only those of that run. */
export async function ourInstances(ec2: EC2Client, name?: string): Promise<Instance[]> {
  const states = ['pending', 'running', 'stopping', 'stopped', 'shutting-down']
  const found: Instance[] = []
  const Filters = [...ours(name), { Name: 'instance-state-name', Values: states }]
  for await (const { Reservations = [] } of paginateDescribeInstances({ client: ec2 }, { Filters })) {
    for (const { Instances = [] } of Reservations) found.push(...Instances)
  }
  return found
}

/** The script that an instance was started with. */
export async function userDataOf(ec2: EC2Client, id: string): Promise<string> {
  const { UserData } = await ec2.send(new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: 'userData' }))
  return Buffer.from(UserData?.Value ?? '', 'base64').toString()
}

/** Waits until instances are running. */
export async function untilRunning(ec2: EC2Client, ids: string[], { signal }: Options = {}): Promise<void> {
  await waitUntilInstanceRunning(waiting(ec2, signal), { InstanceIds: ids })
}

/** Creates a volume in an instance's zone, attaches it, and returns its id. The volume is deleted with the instance. */
export async function attachVolume(
  ec2: EC2Client,
  name: string,
  { InstanceId = '', Placement }: Instance,
  gigabytes: number,
  { signal }: Options = {},
): Promise<string> {
  const device = '/dev/sdf'
  const { VolumeId = '' } = await ec2.send(
    new CreateVolumeCommand({
      AvailabilityZone: Placement?.AvailabilityZone,
      Size: gigabytes,
      VolumeType: 'gp3',
      Encrypted: true,
      TagSpecifications: [tagged('volume', name)],
    }),
  )
  await waitUntilVolumeAvailable(waiting(ec2, signal), { VolumeIds: [VolumeId] })
  await ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId, Device: device }))
  await waitUntilVolumeInUse(waiting(ec2, signal), { VolumeIds: [VolumeId] })
  // Delete the volume with the instance, however that ends: an unused volume costs as much as any other.
  const ending = { DeviceName: device, Ebs: { DeleteOnTermination: true, VolumeId } }
  await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, BlockDeviceMappings: [ending] }))
  return VolumeId
}

/** Stops instances. Their memory is lost; their volumes stay and go on costing money. */
export async function stopInstances(ec2: EC2Client, ids: string[], { signal }: Options = {}): Promise<void> {
  await ec2.send(new StopInstancesCommand({ InstanceIds: ids }))
  await waitUntilInstanceStopped(waiting(ec2, signal), { InstanceIds: ids })
}

/**
 * Ends instances for good, and with them the volumes they booted from. Waits until they have ended. An instance that does
 * not exist has ended.
 */
export async function terminateInstances(ec2: EC2Client, ids: string[], { signal }: Options = {}): Promise<void> {
  // One request each: where one instance cannot be ended, a request for all of them would end none.
  await Promise.all(ids.map((id) => unlessGone(ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] })))))
  const deadline = performance.now() + 1000 * stepTimeoutS
  for (;;) {
    const left = idsOf(await ourInstances(ec2)).filter((id) => ids.includes(id))
    if (left.length === 0) return
    if (performance.now() > deadline) throw new Error(`${left.join(', ')} did not end within ${stepTimeoutS} s`)
    await delay(pollS * 1000, undefined, { signal })
  }
}

export const idsOf = (instances: readonly Instance[]) => instances.flatMap(({ InstanceId }) => InstanceId ?? [])

/** What this chapter has at EC2, in the order in which it can be removed: instances use the rest. */
export type Ec2Kind = 'instances' | 'volumes' | 'securityGroups' | 'keyPairs'

/** How to find and remove what carries the chapter's tag at EC2; with a run's name, only what is of that run. */
export function ec2Kinds(ec2: EC2Client, { name, signal }: Options & { name?: string } = {}): Record<Ec2Kind, Kind> {
  const Filters = ours(name)
  return {
    instances: {
      find: async () => idsOf(await ourInstances(ec2, name)),
      remove: (id) => terminateInstances(ec2, [id], { signal }),
    },
    volumes: {
      async find() {
        const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ Filters }))
        return Volumes.flatMap(({ VolumeId }) => VolumeId ?? [])
      },
      // Those of ended instances go with them, within seconds.
      remove: (VolumeId) => ec2.send(new DeleteVolumeCommand({ VolumeId })),
    },
    securityGroups: {
      async find() {
        const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }))
        return SecurityGroups.flatMap(({ GroupId }) => GroupId ?? [])
      },
      remove: (GroupId) => ec2.send(new DeleteSecurityGroupCommand({ GroupId })),
    },
    keyPairs: {
      async find() {
        const { KeyPairs = [] } = await ec2.send(new DescribeKeyPairsCommand({ Filters }))
        return KeyPairs.flatMap(({ KeyName }) => KeyName ?? [])
      },
      remove: (KeyName) => ec2.send(new DeleteKeyPairCommand({ KeyName })),
    },
  }
}
