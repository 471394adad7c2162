/** The real APIs of EC2, IAM and SSM, which moto answers: it checks signatures, policies, tags and states. */
import {
  CreateSecurityGroupCommand,
  DescribeIamInstanceProfileAssociationsCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
} from '@aws-sdk/client-ec2'
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  GetRolePolicyCommand,
  ListRoleTagsCommand,
} from '@aws-sdk/client-iam'
import { until } from '@repo/common/async/until'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Cloud } from '../../src/cloud/clients.ts'
import { ownName, stackTagValue, tagKey, tagValue } from '../../src/cloud/ownership.ts'
import { isAmazon, type Place } from '../../src/cloud/place.ts'
import { mostInstances } from '../../src/cloud/prices.ts'
import { findMoto, installMoto } from '../../src/local/moto.ts'
import {
  attachVolume,
  createSecurityGroup,
  launchInstances,
  ourInstances,
  ourResources,
  untilRunning,
  userDataOf,
} from '../../src/machines/ec2.ts'
import { type MachineClients, machineClients, prepareInstances } from '../../src/machines/resources.ts'
import { createRole } from '../../src/machines/roles.ts'
import { makeQueues } from '../../src/queues.ts'
import { findLeftovers, removeLeftovers } from '../../src/session/leftovers.ts'
import { openCloud } from '../../src/session/open.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { countOn, openCountingFleet } from '../../src/wordcount/instance-workers.ts'

const permissions = [{ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::b/*'] }]
const signal = () => AbortSignal.timeout(90_000)
const moto = { name: 'moto', found: await findMoto(), install: installMoto }

describeReal('EC2', moto, () => {
  let stack: AsyncDisposableStack
  let cloud: Cloud
  let place: Place
  let clients: MachineClients

  beforeAll(async () => {
    stack = new AsyncDisposableStack()
    cloud = stack.use(await openCloud({ machines: true }))
    place = cloud.places.machines ?? cloud.places.storage
    clients = stack.use(machineClients(place))
  })
  afterAll(() => stack.disposeAsync())
  beforeEach(async () => {
    await removeLeftovers(cloud, place)
  })

  const prepare = (sshFrom?: string) => prepareInstances(clients, { type: 't3.micro', sshFrom, permissions })
  const noLeftovers = {
    instances: [],
    volumes: [],
    securityGroups: [],
    keyPairs: [],
    roles: [],
    applications: [],
    queues: [],
    buckets: [],
  }

  it('launches instances with IMDSv2 only, encrypted disks and a role, and a shutdown terminates them', async () => {
    await using resources = await prepare()
    expect(resources.privateKey).toMatch(/^-----BEGIN (OPENSSH|RSA)? ?PRIVATE KEY-----/)
    const ids = await launchInstances(clients.ec2, { ...resources.request, count: 2, userData: '#!/bin/bash\n' })
    await untilRunning(clients.ec2, ids)
    expect(ids).toHaveLength(2)
    const { Reservations = [] } = await clients.ec2.send(new DescribeInstancesCommand({ InstanceIds: ids }))
    for (const instance of Reservations.flatMap(({ Instances = [] }) => Instances)) {
      expect(instance).toMatchObject({
        State: { Name: 'running' },
        InstanceType: 't3.micro',
        KeyName: resources.request.name,
        MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
      })
      const volumes = instance.BlockDeviceMappings?.flatMap(({ Ebs }) => Ebs?.VolumeId ?? []) ?? []
      const { Volumes = [] } = await clients.ec2.send(new DescribeVolumesCommand({ VolumeIds: volumes }))
      expect(Volumes.map(({ Encrypted, Size }) => ({ Encrypted, Size }))).toEqual([{ Encrypted: true, Size: 8 }])
    }
    const { IamInstanceProfileAssociations = [] } = await clients.ec2.send(
      new DescribeIamInstanceProfileAssociationsCommand({ Filters: [{ Name: 'instance-id', Values: ids }] }),
    )
    const arns = IamInstanceProfileAssociations.map(({ IamInstanceProfile }) => IamInstanceProfile?.Arn)
    // Of several, moto remembers only the first.
    expect(arns).toContainEqual(expect.stringMatching(new RegExp(`:instance-profile/${resources.request.name}$`)))
    expect(await userDataOf(clients.ec2, ids[0] ?? '')).toBe('#!/bin/bash\n')
  })

  it('tags everything', async () => {
    const ourTags = async () => {
      const { Tags = [] } = await clients.ec2.send(new DescribeTagsCommand({}))
      return Tags.filter(({ Key, Value }) => Key === tagKey && Value === tagValue)
    }
    const before = (await ourTags()).map(({ ResourceId }) => ResourceId)
    await using resources = await prepare('203.0.113.7/32')
    const [id = ''] = await launchInstances(clients.ec2, { ...resources.request, count: 1, userData: '' })
    await untilRunning(clients.ec2, [id])
    const [instance] = await ourInstances(clients.ec2)
    if (!instance) throw new Error('no instance')
    const volume = await attachVolume(clients.ec2, 'test', instance, 8)
    // moto still knows the tags of resources that earlier tests have removed.
    const tagged = (await ourTags()).filter(({ ResourceId }) => !before.includes(ResourceId))
    expect(tagged.map(({ ResourceType }) => ResourceType).sort()).toEqual(
      ['instance', 'key-pair', 'security-group', 'volume', 'volume'].sort(),
    )
    expect(tagged.map(({ ResourceId }) => ResourceId)).toContain(volume)
    const { Tags: ofRole = [] } = await clients.iam.send(new ListRoleTagsCommand({ RoleName: resources.request.name }))
    expect(ofRole).toEqual([{ Key: tagKey, Value: tagValue }])
  })

  it('lets nobody in, or only the given addresses by SSH', async () => {
    const rulesOf = async (GroupId: string) => {
      const { SecurityGroups = [] } = await clients.ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] }))
      return SecurityGroups.flatMap(({ IpPermissions = [] }) => IpPermissions)
    }
    expect(await rulesOf(await createSecurityGroup(clients.ec2, ownName()))).toEqual([])
    const [rule, ...others] = await rulesOf(await createSecurityGroup(clients.ec2, ownName(), '203.0.113.7/32'))
    expect(others).toEqual([])
    expect(rule).toMatchObject({
      IpProtocol: 'tcp',
      FromPort: 22,
      ToPort: 22,
      IpRanges: [{ CidrIp: '203.0.113.7/32' }],
    })
    expect([rule?.IpRanges?.length, rule?.Ipv6Ranges ?? []]).toEqual([1, []])
    const groups = (await ourResources(clients.ec2)).securityGroups
    await expect(createSecurityGroup(clients.ec2, ownName(), 'nowhere')).rejects.toThrow(
      /AuthorizeSecurityGroupIngress/,
    )
    expect((await ourResources(clients.ec2)).securityGroups).toEqual(groups)
  })

  it('refuses more instances than the ceiling, counting those that exist already', async () => {
    await using resources = await prepare()
    const launch = (count: number) => launchInstances(clients.ec2, { ...resources.request, count, userData: '' })
    const ids = await launch(mostInstances - 1)
    await expect(launch(2)).rejects.toThrow(`2 more instances would make ${mostInstances + 1}, and the ceiling is`)
    expect((await ourInstances(clients.ec2)).length).toBe(ids.length)
  })

  it('removes everything that a killed program has left behind, and nothing else', async () => {
    const { request } = await prepare()
    const ids = await launchInstances(clients.ec2, { ...request, count: 2, userData: '' })
    await untilRunning(clients.ec2, ids)
    const [instance] = await ourInstances(clients.ec2)
    if (instance) await attachVolume(clients.ec2, 'test', instance, 8)
    await temporaryBucket(cloud.s3)
    await makeQueues(cloud.sqs)
    await createRole(clients.iam, 'a-role-of-somebody-else', permissions)
    // CloudFormation creates such groups for the stack of `infrastructure`.
    await clients.ec2.send(
      new CreateSecurityGroupCommand({
        GroupName: 'of-the-stack',
        Description: 'of the stack',
        TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: tagKey, Value: stackTagValue }] }],
      }),
    )
    const { SecurityGroups: before = [] } = await clients.ec2.send(new DescribeSecurityGroupsCommand({}))
    const left = await findLeftovers(cloud, place)
    expect(left).toMatchObject({
      instances: ids,
      volumes: { length: 3 },
      keyPairs: { length: 1 },
      roles: [request.name],
    })
    expect(left).toMatchObject({ queues: { length: 3 }, buckets: { length: 1 } })

    await removeLeftovers(cloud, place)
    expect(await findLeftovers(cloud, place)).toEqual(noLeftovers)
    const { SecurityGroups: after = [] } = await clients.ec2.send(new DescribeSecurityGroupsCommand({}))
    expect(after.length).toBe(before.length - 1)
    // Its name lacks our prefix.
    expect(await clients.iam.send(new ListRoleTagsCommand({ RoleName: 'a-role-of-somebody-else' }))).toBeDefined()
  })

  it('gives a role exactly the requested permissions', async () => {
    const name = ownName()
    await createRole(clients.iam, name, [{ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::b/*'] }])
    const { PolicyDocument = '' } = await clients.iam.send(
      new GetRolePolicyCommand({ RoleName: name, PolicyName: 'may' }),
    )
    expect(JSON.parse(decodeURIComponent(PolicyDocument))).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::b/*'] }],
    })
  })

  it('lets instances count as their user data says, reports a failed worker, and removes all it created', async () => {
    const bucket = (await temporaryBucket(cloud.s3)).name
    const { urls: queues } = await makeQueues(cloud.sqs)
    {
      await using fleet = await openCountingFleet({
        cloud,
        bucket,
        queues,
        type: 't3.micro',
        minutes: 30,
        signal: signal(),
      })
      expect(fleet.userData).not.toContain(place.credentials?.secretAccessKey)
      expect(fleet.userData).toContain('shutdown -h +30')
      const ids = await fleet.launch(2, fleet.userData)
      expect(await countOn(fleet, { cloud, bucket, queues, signal: signal() })).toBe(1_789_020)
      await fleet.stop(ids)
      expect((await fleet.list()).map(({ state }) => state)).toEqual(['stopped', 'stopped'])

      await fleet.launch(1, fleet.userData.replace('DISTRIBUTED_COMPUTING_WORK', 'ANOTHER_NAME'))
      await expect(fleet.failed).rejects.toThrow(/the worker of i-\w+ has ended, 1/)
    }
    const { queues: _, buckets: __, ...rest } = await findLeftovers(cloud, place)
    expect(rest).toEqual({ instances: [], volumes: [], securityGroups: [], keyPairs: [], roles: [], applications: [] })
  })

  describe('with wrong keys', () => {
    const withKeys = (credentials: Place['credentials']) => machineClients({ ...place, credentials })

    it('says that they are unknown', async () => {
      using wrong = withKeys({ accessKeyId: 'AKIAWRONG', secretAccessKey: 'wrong' })
      await expect(ourInstances(wrong.ec2)).rejects.toThrow(
        /DescribeInstances at .* failed: AuthFailure: that cloud does not know the keys/,
      )
      await expect(createRole(wrong.iam, ownName(), permissions)).rejects.toThrow(
        /CreateRole at .* failed: InvalidClientTokenId: /,
      )
    })

    it('says that they do not match, and does not show them', async () => {
      const secretAccessKey = 'ThisIsASecret'
      using wrong = withKeys({ accessKeyId: place.credentials?.accessKeyId ?? '', secretAccessKey })
      const error: unknown = await createRole(wrong.iam, ownName(), permissions).catch((reason: unknown) => reason)
      expect(String(error)).toMatch(/SignatureDoesNotMatch: the secret access key does not belong/)
      expect(JSON.stringify(error) + String(error)).not.toContain(secretAccessKey)
    })

    it('says that the user lacks a permission', async () => {
      await clients.iam.send(new CreateUserCommand({ UserName: 'guest' }))
      const { AccessKey } = await clients.iam.send(new CreateAccessKeyCommand({ UserName: 'guest' }))
      const { AccessKeyId: accessKeyId = '', SecretAccessKey: secretAccessKey = '' } = AccessKey ?? {}
      using guest = withKeys({ accessKeyId, secretAccessKey })
      await expect(createSecurityGroup(guest.ec2, ownName())).rejects.toThrow(/these credentials may not do that/)
    })
  })

  it('fails with one line, after the retries, when its server is killed', async () => {
    await using other = await openCloud({ machines: true })
    const gone = other.places.machines ?? place
    using clients = machineClients(gone)
    expect(await ourInstances(clients.ec2)).toEqual([])
    await other[Symbol.asyncDispose]()
    const error = await until(() =>
      ourInstances(clients.ec2).then(
        () => undefined,
        (reason: Error) => reason,
      ),
    )
    expect(error.message).toMatch(
      /^DescribeInstances at http:\/\/127\.0\.0\.1:\d+ failed: ECONNREFUSED: nothing listens there/,
    )
  })
})

describe('an address of Amazon', () => {
  it.each([
    ['https://ec2.us-east-1.amazonaws.com', true],
    ['https://s3.cn-north-1.amazonaws.com.cn', true],
    ['https://ec2.us-east-1.api.aws', true],
    ['http://127.0.0.1:5000', false],
    ['https://amazonaws.com.example.org', false],
    ['https://notamazonaws.com', false],
  ])('is, or is not, %s', (url, expected) => {
    expect(isAmazon({ kind: 'endpoint', url })).toBe(expected)
    expect(isAmazon({ kind: 'aws' })).toBe(true)
  })
})
