/** What instances need before they can be launched: a key pair, a firewall, a role, an image, and the worker's code. */
import { DeleteKeyPairCommand, DeleteSecurityGroupCommand, EC2Client } from '@aws-sdk/client-ec2'
import { IAMClient } from '@aws-sdk/client-iam'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { SSMClient } from '@aws-sdk/client-ssm'
import { bundleProgram } from '@repo/common/process/bundle'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { oldestNode } from '../beanstalk/bundle.ts'
import { anonymous, clientConfig, type Place, type Places } from '../cloud/cloud.ts'
import { explainErrors } from '../cloud/errors.ts'
import { type InstanceType, instanceTypes } from '../cloud/prices.ts'
import { ownName } from '../storage/buckets.ts'
import { type Work, workerEnvironment } from '../wordcount/workers.ts'
import { createKeyPair, createSecurityGroup, type LaunchRequest, newestImage } from './ec2.ts'
import type { Permission } from './permissions.ts'
import { createRole, deleteRole } from './roles.ts'
import { workerUserData } from './user-data.ts'

/** Clients of the services that have to do with machines, whose errors are one clear line. */
export interface MachineClients extends Disposable {
  ec2: EC2Client
  iam: IAMClient
  ssm: SSMClient
}

export function machineClients(place: Place): MachineClients {
  const config = clientConfig(place)
  const ec2 = explainErrors(new EC2Client(config), place)
  // The one service that is the same in all regions, and still wants to be told one.
  const iam = explainErrors(new IAMClient(config), place)
  const ssm = explainErrors(new SSMClient(config), place)
  return {
    ec2,
    iam,
    ssm,
    [Symbol.dispose]: () => {
      for (const client of [ec2, iam, ssm]) client.destroy()
    },
  }
}

export interface PrepareOptions {
  type: InstanceType
  /** The only addresses that may log in, as `203.0.113.7/32`; without them nobody may. */
  sshFrom?: string | undefined
  permissions: Permission[]
}

/** Disposing of it removes everything again. */
export interface InstanceResources extends AsyncDisposable {
  /** For `launchInstances`. */
  request: Omit<LaunchRequest, 'count' | 'userData'>
  /** The private half of the key pair. */
  privateKey: string
}

/** Creates what instances need; all of it has one name and the chapter's tag. */
export async function prepareInstances(
  { ec2, iam, ssm }: MachineClients,
  { type, sshFrom, permissions }: PrepareOptions,
): Promise<InstanceResources> {
  await using stack = new AsyncDisposableStack()
  const name = ownName()
  const image = await newestImage(ssm, instanceTypes[type].architecture)
  const privateKey = await createKeyPair(ec2, name)
  stack.defer(async () => void (await ec2.send(new DeleteKeyPairCommand({ KeyName: name }))))
  const securityGroup = await createSecurityGroup(ec2, name, sshFrom)
  stack.defer(async () => void (await ec2.send(new DeleteSecurityGroupCommand({ GroupId: securityGroup }))))
  // Before it is made, for it is made in steps.
  stack.defer(() => deleteRole(iam, name))
  await createRole(iam, name, permissions)
  const owned = stack.move()
  return {
    request: { name, image, instanceType: type, keyName: name, securityGroup, instanceProfile: name },
    privateKey,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

export interface CountUserDataOptions {
  s3: S3Client
  places: Places
  bucket: string
  work: Work
  endsAfterMinutes: number
}

/** Uploads wordcount's worker as one file, and returns the user data that has an instance run it. */
export async function countUserData(options: CountUserDataOptions): Promise<string> {
  const { s3, places, bucket, work, endsAfterMinutes } = options
  const code = { Bucket: bucket, Key: 'code/count.mjs' }
  const Body = await bundleProgram(new URL('../wordcount/count.program.ts', import.meta.url), { target: oldestNode })
  await s3.send(new PutObjectCommand({ ...code, Body, ContentType: 'text/javascript' }))
  const withoutKeys = { storage: anonymous(places.storage), queues: anonymous(places.queues), machines: undefined }
  const environment = { ...workerEnvironment(withoutKeys, work), AWS_REGION: await s3.config.region() }
  return workerUserData({ code: `s3://${code.Bucket}/${code.Key}`, environment, endsAfterMinutes })
}

/** What an instance's role would give its programs in the place of keys: for processes that stand in for instances. */
export function roleEnvironment({ credentials }: Place): NodeJS.ProcessEnv {
  if (!credentials) return {}
  return { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey }
}
