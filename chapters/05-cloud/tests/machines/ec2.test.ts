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
  AddRoleToInstanceProfileCommand,
  AttachRolePolicyCommand,
  CreateAccessKeyCommand,
  CreateInstanceProfileCommand,
  CreatePolicyCommand,
  CreateUserCommand,
  GetInstanceProfileCommand,
  GetPolicyCommand,
  GetRolePolicyCommand,
  ListRolesCommand,
  ListRoleTagsCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam'
import { originalOf } from '@repo/common/example/usage'
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
  ec2Kinds,
  idsOf,
  launchInstances,
  ourInstances,
  untilRunning,
  userDataOf,
} from '../../src/machines/ec2.ts'
import { ec2Machines } from '../../src/machines/machines.ts'
import { type MachineClients, machineClients, prepareInstances } from '../../src/machines/resources.ts'
import { bucketArn, createRole } from '../../src/machines/roles.ts'
import { makeQueues } from '../../src/queues.ts'
import { findLeftovers, removeLeftovers } from '../../src/session/leftovers.ts'
import { openCloud } from '../../src/session/open.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { faultyStore } from '../fixtures/http-faults.ts'

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
    const instances = Reservations.flatMap(({ Instances = [] }) => Instances)
    expect(instances).toHaveLength(2)
    for (const instance of instances) {
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
    const [rule, ...others] = await rulesOf(
      await createSecurityGroup(clients.ec2, ownName(), { entrance: { port: 22, from: '203.0.113.7/32' } }),
    )
    expect(others).toEqual([])
    expect(rule).toMatchObject({
      IpProtocol: 'tcp',
      FromPort: 22,
      ToPort: 22,
      IpRanges: [{ CidrIp: '203.0.113.7/32' }],
    })
    expect([rule?.IpRanges?.length, rule?.Ipv6Ranges ?? []]).toEqual([1, []])
    const { securityGroups } = ec2Kinds(clients.ec2)
    const groups = await securityGroups.find()
    await expect(
      createSecurityGroup(clients.ec2, ownName(), { entrance: { port: 22, from: 'nowhere' } }),
    ).rejects.toThrow(/AuthorizeSecurityGroupIngress/)
    expect(await securityGroups.find()).toEqual(groups)
  })

  it('refuses more instances than the ceiling, counting those that exist already', async () => {
    await using resources = await prepare()
    const launch = (count: number) => launchInstances(clients.ec2, { ...resources.request, count, userData: '' })
    const ids = await launch(mostInstances - 1)
    await expect(launch(2)).rejects.toThrow(`2 more instances would make ${mostInstances + 1}, and the ceiling is`)
    expect((await ourInstances(clients.ec2)).length).toBe(ids.length)
  })

  it('ends the instances of a launch that finds too many, because another launched between its count and its launch', async () => {
    await using first = await prepare()
    await using second = await prepare()
    const counted = Promise.withResolvers<void>()
    const launched = Promise.withResolvers<void>()
    using late = machineClients(place)
    late.ec2.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName === 'RunInstancesCommand') {
            counted.resolve()
            await launched.promise
          }
          return await next(args)
        },
      { step: 'initialize' },
    )
    const half = { count: mostInstances / 2 + 1, userData: '' }
    const refused = expect(launchInstances(late.ec2, { ...second.request, ...half })).rejects.toThrow(
      `another program launched instances at the same time: with these there were ${2 * half.count}, and the ceiling is`,
    )
    await counted.promise
    const ids = await launchInstances(clients.ec2, { ...first.request, ...half })
    launched.resolve()
    await refused
    expect(idsOf(await ourInstances(clients.ec2)).sort()).toEqual(ids.sort())
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
    // As by an administrator or an organisation's rules.
    const RoleName = request.name
    const Statement = [{ Effect: 'Allow', Action: 'ssm:*', Resource: '*' }]
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement })
    const { Policy: { Arn: PolicyArn } = {} } = await clients.iam.send(
      new CreatePolicyCommand({ PolicyName: 'of-the-organisation', PolicyDocument }),
    )
    await clients.iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }))
    await clients.iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'added', PolicyDocument }))
    const InstanceProfileName = 'a-profile-of-somebody-else'
    await clients.iam.send(new CreateInstanceProfileCommand({ InstanceProfileName }))
    await clients.iam.send(new AddRoleToInstanceProfileCommand({ RoleName, InstanceProfileName }))
    // CloudFormation creates such groups for the stack of `infrastructure`.
    await clients.ec2.send(
      new CreateSecurityGroupCommand({
        GroupName: 'of-the-stack',
        Description: 'of the stack',
        TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: tagKey, Value: stackTagValue }] }],
      }),
    )
    const { SecurityGroups: before = [] } = await clients.ec2.send(new DescribeSecurityGroupsCommand({}))
    const { found } = await findLeftovers(cloud, place)
    expect(found).toMatchObject({
      instances: ids,
      volumes: { length: 3 },
      keyPairs: { length: 1 },
      roles: [request.name],
    })
    expect(found).toMatchObject({ queues: { length: 3 }, buckets: { length: 1 } })

    expect(await removeLeftovers(cloud, place)).toMatchObject({ removed: { instances: ids }, left: [] })
    expect(await findLeftovers(cloud, place)).toEqual({ found: noLeftovers, notAsked: [] })
    const { SecurityGroups: after = [] } = await clients.ec2.send(new DescribeSecurityGroupsCommand({}))
    expect(after.length).toBe(before.length - 1)
    // Its name lacks our prefix.
    expect(await clients.iam.send(new ListRoleTagsCommand({ RoleName: 'a-role-of-somebody-else' }))).toBeDefined()
    const { InstanceProfile } = await clients.iam.send(new GetInstanceProfileCommand({ InstanceProfileName }))
    expect(InstanceProfile?.Roles).toEqual([])
    expect(await clients.iam.send(new GetPolicyCommand({ PolicyArn }))).toMatchObject({
      Policy: { AttachmentCount: 0 },
    })
  })

  /** Keys of a user who may do everything, except these actions. */
  async function without(UserName: string, ...actions: string[]): Promise<Place> {
    await clients.iam.send(new CreateUserCommand({ UserName }))
    const Statement = [
      { Effect: 'Allow', Action: '*', Resource: '*' },
      { Effect: 'Deny', Action: actions, Resource: '*' },
    ]
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement })
    await clients.iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'may', PolicyDocument }))
    const { AccessKey } = await clients.iam.send(new CreateAccessKeyCommand({ UserName }))
    const { AccessKeyId: accessKeyId = '', SecretAccessKey: secretAccessKey = '' } = AccessKey ?? {}
    return { ...place, credentials: { accessKeyId, secretAccessKey } }
  }

  it('removes the rest where a service may not be asked, and where a group may not be removed', async () => {
    const { request } = await prepare()
    await launchInstances(clients.ec2, { ...request, count: 1, userData: '' })
    await makeQueues(cloud.sqs)
    await temporaryBucket(cloud.s3)
    const place = await without('cleaner', 'elasticbeanstalk:*', 'ec2:DeleteSecurityGroup')
    const { notAsked } = await findLeftovers(cloud, place)
    expect(notAsked).toEqual([{ kind: 'applications', why: expect.stringContaining('may not do that') }])

    const { removed, left } = await removeLeftovers(cloud, place)
    expect(left).toEqual([
      { kind: 'applications', why: expect.stringContaining('DescribeApplications') },
      { kind: 'securityGroups', name: request.securityGroup, why: expect.stringContaining('DeleteSecurityGroup') },
    ])
    expect(removed).toMatchObject({ instances: { length: 1 }, keyPairs: { length: 1 }, roles: { length: 1 } })
    expect(removed).toMatchObject({ queues: { length: 3 }, buckets: { length: 1 } })
    const { removed: then, left: nothing } = await removeLeftovers(cloud, cloud.places.machines ?? place)
    expect([then.securityGroups, nothing]).toEqual([[request.securityGroup], []])
  })

  it('removes everything once, when two clean up at the same time', async () => {
    for (const _ of [1, 2]) {
      const { request } = await prepare()
      await launchInstances(clients.ec2, { ...request, count: 2, userData: '' })
    }
    await makeQueues(cloud.sqs)
    await temporaryBucket(cloud.s3)
    const both = await Promise.all([removeLeftovers(cloud, place), removeLeftovers(cloud, place)])
    expect(both.map(({ left }) => left)).toEqual([[], []])
    expect(await findLeftovers(cloud, place)).toEqual({ found: noLeftovers, notAsked: [] })
  })

  /** The error that came before those of cleaning up. */
  async function originalOfFailing(failing: PromiseLike<unknown>): Promise<Error> {
    try {
      await failing
      return new Error('it did not fail')
    } catch (error) {
      return originalOf(error) as Error
    }
  }

  /** Machines behind a proxy that loses every answer to an action. */
  async function losing(action: string) {
    const lost = { times: 0 }
    const store = await faultyStore(place, (_, body) => {
      if (!body.includes(`Action=${action}&`)) return undefined
      lost.times++
      return { lose: true }
    })
    return Object.assign(store, { lost })
  }

  it.each(['CreateKeyPair', 'CreateSecurityGroup', 'CreateRole', 'CreateInstanceProfile'])(
    'leaves nothing behind when the answer to %s is lost',
    async (action) => {
      await using machines = await losing(action)
      using far = machineClients(machines.place)
      const error = await originalOfFailing(prepareInstances(far, { type: 't3.micro', permissions }))
      expect(error.message).toContain(action)
      expect(machines.lost.times).toBeGreaterThan(0)
      expect(await findLeftovers(cloud, place)).toEqual({ found: noLeftovers, notAsked: [] })
      expect((await clients.iam.send(new ListRolesCommand())).Roles?.map(({ RoleName }) => RoleName)).not.toContain(
        expect.stringMatching(/^distributed-computing-[0-9a-f]{12}$/),
      )
    },
  )

  it.each(['RunInstances', 'CreateVolume', 'AttachVolume'])(
    'ends the instances of a run that lost every answer to %s',
    async (action) => {
      await using machines = await losing(action)
      using far = machineClients(machines.place)
      const running = async () => {
        await using resources = await prepareInstances(far, { type: 't3.micro', permissions })
        await using instances = ec2Machines(far.ec2, resources.request, signal())
        const [id = ''] = await instances.launch(2, '').finally(async () => {
          // Each attempt has launched some: moto does not notice that they are the same request. Amazon does.
          expect((await ourInstances(clients.ec2)).length).toBeGreaterThanOrEqual(2)
        })
        await instances.attachVolume(id, 8)
      }
      expect((await originalOfFailing(running())).message).toContain(action)
      expect(await findLeftovers(cloud, place)).toEqual({ found: noLeftovers, notAsked: [] })
    },
  )

  it('names the command that removes what a run could not', async () => {
    using careless = machineClients(await without('careless', 'ec2:DeleteKeyPair'))
    const resources = await prepareInstances(careless, { type: 't3.micro', permissions })
    await launchInstances(careless.ec2, { ...resources.request, count: 1, userData: '' })
    const error = await originalOfFailing(resources[Symbol.asyncDispose]())
    expect(error.message).toMatch(/^keyPairs distributed-computing-\w+: DeleteKeyPair .*may not do that/)
    expect(error.message).toContain('`pnpm --filter 05-cloud start instances clean` removes it later')
    expect((await removeLeftovers(cloud, place)).left).toEqual([])
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
})

describe('a bucket', () => {
  it.each([
    ['arn:aws:sqs:eu-central-1:123456789012:q', 'arn:aws:s3:::b'],
    ['arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q', 'arn:aws-us-gov:s3:::b'],
    ['', 'arn:aws:s3:::b'],
  ])('has a name in the partition of %s', (queue, name) => {
    expect(bucketArn('b', queue)).toBe(name)
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
