/** Machines that all run one program: EC2 instances with everything they need, or processes on this machine. */
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Cloud } from '../cloud/clients.ts'
import { isAmazon, keysOf } from '../cloud/place.ts'
import type { InstanceType } from '../cloud/prices.ts'
import { userDataOf } from './ec2.ts'
import { bootedHere, ec2Machines, listedMachines, type Machines } from './machines.ts'
import { machineClients, prepareInstances, programUserData } from './resources.ts'
import type { Permission } from './roles.ts'

export interface FleetOptions {
  cloud: Cloud
  /** The bucket that the program is fetched from. */
  bucket: string
  /** The TypeScript program that each machine runs. */
  program: URL
  environment: Record<string, string>
  /** What the program may do, and the same in words, as in "may read its bucket". */
  role: { permissions: Permission[]; inWords: string }
  type: InstanceType
  /** Minutes after which each instance ends by itself. */
  minutes: number
  /** The only addresses that may log in, as `203.0.113.7/32`. When undefined, nobody may. */
  sshFrom?: string | undefined
  signal: AbortSignal
  /** Called for each thing that was created. */
  onStep?: (what: string, result: string) => void
}

export interface Fleet extends Machines {
  /** The script with which a machine runs the program. */
  userData: string
  /**
   * Whether launched machines really work. Amazon's do, and so do processes here; for other endpoints we do not know.
   */
  boots: boolean
  /** The private half of the instances' key pair. */
  privateKey: string | undefined
}

/** Creates what machines need. Disposing of it terminates the launched machines and removes everything again. */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { cloud, bucket, program, environment, minutes, type, sshFrom, role, signal, onStep } = options
  const { s3, places } = cloud
  const place = places.machines
  await using stack = new AsyncDisposableStack()
  const userData = await programUserData({ s3, bucket, program, environment, endsAfterMinutes: minutes })
  // What an instance's role would give its programs, for processes that stand in for instances.
  const boot = { s3, environment: keysOf(places.storage), signal }
  const handOver = (machines: Machines, privateKey?: string): Fleet => {
    const owned = stack.move()
    const boots = place?.kind !== 'endpoint' || isAmazon(place)
    return { ...machines, userData, boots, privateKey, [Symbol.asyncDispose]: () => owned.disposeAsync() }
  }
  if (!place) {
    onStep?.('no instances', 'each is a process that does what the user data says, except installing Node')
    return handOver(stack.use(await bootedHere(listedMachines(), boot)))
  }

  const clients = stack.use(machineClients(place))
  const resources = stack.use(await prepareInstances(clients, { type, sshFrom, permissions: role.permissions }))
  const { name, image, securityGroup } = resources.request
  onStep?.('image', `${image}, the newest Amazon Linux 2023`)
  onStep?.('key pair', name)
  onStep?.('security group', `${securityGroup}: ${sshFrom ? `SSH from ${sshFrom}` : 'nothing may come in'}`)
  onStep?.('role', role.inWords)
  const instances = ec2Machines(clients.ec2, resources.request, signal)
  if (place.kind !== 'moto') return handOver(stack.use(instances), resources.privateKey)
  onStep?.('no machine boots', 'moto only keeps records: for each, a process here does what its user data says')
  return handOver(
    stack.use(await bootedHere(instances, boot, (id) => userDataOf(clients.ec2, id))),
    resources.privateKey,
  )
}
