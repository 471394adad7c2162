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
  waitUntilInstanceTerminated,
  waitUntilVolumeAvailable,
  waitUntilVolumeInUse,
} from '@aws-sdk/client-ec2'
import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm'
import type { CloudError } from '../cloud/errors.ts'
import { tagKey, tagValue } from '../cloud/ownership.ts'
import { mostInstances } from '../cloud/prices.ts'

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

const ours = [{ Name: `tag:${tagKey}`, Values: [tagValue] }]

/** Creates a key pair for logging in. Returns its private half, which Amazon does not keep. */
export async function createKeyPair(ec2: EC2Client, name: string): Promise<string> {
  const { KeyMaterial } = await ec2.send(
    new CreateKeyPairCommand({ KeyName: name, KeyType: 'ed25519', TagSpecifications: [tagged('key-pair', name)] }),
  )
  if (!KeyMaterial) throw new Error('the key pair came without its private half')
  return KeyMaterial
}

/**
 * Creates a firewall for instances in the account's default network. Everything may go out. Nothing may come in, except
 * SSH from the given addresses. Returns its id.
 *
 * @param sshFrom IPv4 addresses as `203.0.113.7/32`
 */
export async function createSecurityGroup(ec2: EC2Client, name: string, sshFrom?: string): Promise<string> {
  const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['true'] }] }))
  const [vpc] = Vpcs
  if (!vpc) throw new Error('the account has no default network in this region: `aws ec2 create-default-vpc` makes one')
  const { GroupId = '' } = await ec2.send(
    new CreateSecurityGroupCommand({
      GroupName: name,
      Description: sshFrom ? `SSH from ${sshFrom}` : 'Nothing may come in',
      VpcId: vpc.VpcId,
      TagSpecifications: [tagged('security-group', name)],
    }),
  )
  if (sshFrom) {
    const range = { CidrIp: sshFrom, Description: 'the reader' }
    const ssh = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [range] }
    try {
      await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [ssh] }))
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
 * @throws an Error when this chapter would then have more than `mostInstances` instances
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
  })
  for (let attempt = 1; ; attempt++) {
    try {
      const { Instances = [] } = await ec2.send(command)
      return Instances.flatMap(({ InstanceId }) => InstanceId ?? [])
    } catch (error) {
      // EC2 needs some seconds to learn of a new role.
      const { name: code, message } = error as CloudError
      if (attempt === 10 || code !== 'InvalidParameterValue' || !/instance profile/i.test(message)) throw error
      await delay(3_000, undefined, { signal })
    }
  }
}

/** The chapter's instances that have not ended. */
export async function ourInstances(ec2: EC2Client): Promise<Instance[]> {
  const states = ['pending', 'running', 'stopping', 'stopped', 'shutting-down']
  const found: Instance[] = []
  const Filters = [...ours, { Name: 'instance-state-name', Values: states }]
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

/** Ends instances for good, and with them the volumes they booted from. */
export async function terminateInstances(ec2: EC2Client, ids: string[], { signal }: Options = {}): Promise<void> {
  if (ids.length === 0) return
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: ids }))
  await waitUntilInstanceTerminated(waiting(ec2, signal), { InstanceIds: ids })
}

/** What this chapter has at EC2, by kind. */
export interface Left {
  instances: string[]
  volumes: string[]
  securityGroups: string[]
  keyPairs: string[]
}

/** Everything at EC2 that carries the chapter's tag. */
export async function ourResources(ec2: EC2Client): Promise<Left> {
  const [instances, { Volumes = [] }, { SecurityGroups = [] }, { KeyPairs = [] }] = await Promise.all([
    ourInstances(ec2),
    ec2.send(new DescribeVolumesCommand({ Filters: ours })),
    ec2.send(new DescribeSecurityGroupsCommand({ Filters: ours })),
    ec2.send(new DescribeKeyPairsCommand({ Filters: ours })),
  ])
  return {
    instances: instances.flatMap(({ InstanceId }) => InstanceId ?? []),
    volumes: Volumes.flatMap(({ VolumeId }) => VolumeId ?? []),
    securityGroups: SecurityGroups.flatMap(({ GroupId }) => GroupId ?? []),
    keyPairs: KeyPairs.flatMap(({ KeyName }) => KeyName ?? []),
  }
}

/** Removes everything at EC2 that carries the chapter's tag: first the instances, because they use the rest. */
export async function removeOurResources(ec2: EC2Client, options: Options = {}): Promise<void> {
  const left = await ourResources(ec2)
  await terminateInstances(ec2, left.instances, options)
  // Instances take their own volumes with them. Other volumes become free within seconds.
  const deadline = performance.now() + 1000 * stepTimeoutS
  for (;;) {
    const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ Filters: ours }))
    const free = Volumes.filter(({ State }) => State === 'available')
    for (const { VolumeId } of free) await ec2.send(new DeleteVolumeCommand({ VolumeId }))
    if (free.length === Volumes.length) break
    if (performance.now() > deadline) throw new Error(`${Volumes.length} volumes are still in use`)
    await delay(pollS * 1000, undefined, { signal: options.signal })
  }
  for (const GroupId of left.securityGroups) await ec2.send(new DeleteSecurityGroupCommand({ GroupId }))
  for (const KeyName of left.keyPairs) await ec2.send(new DeleteKeyPairCommand({ KeyName }))
}
