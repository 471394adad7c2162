/** What instances need before they can be launched: a key pair, a firewall, a role, an image, and their program. */
import { basename } from 'node:path'
import { EC2Client } from '@aws-sdk/client-ec2'
import { IAMClient } from '@aws-sdk/client-iam'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { SSMClient } from '@aws-sdk/client-ssm'
import { bundleProgram } from '@repo/common/process/bundle'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { clientConfig } from '../cloud/clients.ts'
import { explainErrors } from '../cloud/errors.ts'
import { ownName } from '../cloud/ownership.ts'
import type { Place } from '../cloud/place.ts'
import { type InstanceType, instanceTypes } from '../cloud/prices.ts'
import { cleanCommand, describeLeft, removeEach } from '../cloud/removal.ts'
import { createKeyPair, createSecurityGroup, ec2Kinds, type LaunchRequest, newestImage } from './ec2.ts'
import { createRole, deleteRole, type Permission } from './roles.ts'
import { oldestNode, workerUserData } from './user-data.ts'

/** Clients for the services that instances need. Their errors are one clear line. */
export interface MachineClients extends Disposable {
  place: Place
  ec2: EC2Client
  iam: IAMClient
  ssm: SSMClient
}

export function machineClients(place: Place): MachineClients {
  const config = clientConfig(place)
  const ec2 = explainErrors(new EC2Client(config), place)
  // IAM is one service for all regions, but its client still requires a region.
  const iam = explainErrors(new IAMClient(config), place)
  const ssm = explainErrors(new SSMClient(config), place)
  return {
    place,
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
  /** The only addresses that may log in, as `203.0.113.7/32`. When undefined, nobody may. */
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

/** Creates what instances need, all with one name and the chapter's tag. */
export async function prepareInstances(
  clients: MachineClients,
  { type, sshFrom, permissions }: PrepareOptions,
): Promise<InstanceResources> {
  const { ec2, iam, ssm } = clients
  await using stack = new AsyncDisposableStack()
  const name = ownName()
  const image = await newestImage(ssm, instanceTypes[type].architecture)
  stack.defer(() => removeRun(clients, name))
  const privateKey = await createKeyPair(ec2, name)
  const entrance = sshFrom === undefined ? undefined : { port: 22, from: sshFrom }
  const securityGroup = await createSecurityGroup(ec2, name, { entrance })
  await createRole(iam, name, permissions)
  const owned = stack.move()
  return {
    request: { name, image, instanceType: type, keyName: name, securityGroup, instanceProfile: name },
    privateKey,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/**
 * Removes everything at EC2 and IAM that has a run's own name. It may be more than the run knows of: a request whose answer
 * was lost has created something, too.
 *
 * @throws an Error that says what is left, and names the command that removes it
 */
export async function removeRun({ ec2, iam, place }: MachineClients, name: string): Promise<void> {
  const role = { find: async () => [name], remove: (name: string) => deleteRole(iam, name) }
  const { left } = await removeEach({ ...ec2Kinds(ec2, { name }), roles: role })
  if (left.length > 0) throw new Error(`${describeLeft(left)}; \`${cleanCommand(place)}\` removes it later`)
}

export interface ProgramOptions {
  s3: S3Client
  bucket: string
  /** A TypeScript program, as `new URL('./count.program.ts', import.meta.url)`. */
  program: URL
  environment: Record<string, string>
  endsAfterMinutes: number
}

/** Uploads a program as one file, and returns the user data with which an instance runs it. */
export async function programUserData(options: ProgramOptions): Promise<string> {
  const { s3, bucket, program, environment, endsAfterMinutes } = options
  const Key = `code/${basename(program.pathname, '.program.ts')}.mjs`
  const Body = await bundleProgram(program, { target: oldestNode })
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType: 'text/javascript' }))
  return workerUserData({ code: `s3://${bucket}/${Key}`, environment, endsAfterMinutes })
}
