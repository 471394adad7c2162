/**
 * Machines that run a program: EC2 instances, and processes on this machine, behind the same interface. Their user data
 * says what they do.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EC2Client } from '@aws-sdk/client-ec2'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { type Child, startServer } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import {
  attachVolume,
  idsOf,
  type LaunchRequest,
  launchInstances,
  ourInstances,
  stopInstances,
  terminateInstances,
  untilRunning,
} from './ec2.ts'
import { readWorkerUserData } from './user-data.ts'

export interface Machine {
  id: string
  /** In EC2's words: `pending`, `running`, `stopped` … */
  state: string
  /** Its network address, or the process that it is. */
  address: string
}

/** Disposing of it terminates all launched machines that still exist. */
export interface Machines extends AsyncDisposable {
  /** Starts machines that run this script, waits until they run, and returns their ids. */
  launch: (count: number, userData: string) => Promise<string[]>
  list: () => Promise<Machine[]>
  /** Attaches another disk to a machine, and returns the disk's id. */
  attachVolume: (id: string, gigabytes: number) => Promise<string>
  /** Ends what runs on the machines. Their disks stay. */
  stop: (ids: string[]) => Promise<void>
  /** Ends the machines for good. */
  terminate: (ids: string[]) => Promise<void>
  /** Rejected when a program ends by itself. Never for real instances: this program cannot see that there. */
  failed: Promise<never>
}

/** EC2 instances. */
export function ec2Machines(
  ec2: EC2Client,
  request: Omit<LaunchRequest, 'count' | 'userData'>,
  signal: AbortSignal,
): Machines {
  const launched = new Set<string>()
  const find = async (id: string) => {
    const found = (await ourInstances(ec2)).find(({ InstanceId }) => InstanceId === id)
    if (!found) throw new Error(`instance ${id} does not exist`)
    return found
  }
  async function terminate(ids: string[], options = {}) {
    await terminateInstances(ec2, ids, options)
    for (const id of ids) launched.delete(id)
  }
  return {
    async launch(count, userData) {
      const ids = await launchInstances(ec2, { ...request, count, userData, signal })
      for (const id of ids) launched.add(id)
      await untilRunning(ec2, ids, { signal })
      return ids
    },
    async list() {
      return (await ourInstances(ec2))
        .filter(({ InstanceId = '' }) => launched.has(InstanceId))
        .map(({ InstanceId = '', State, PublicIpAddress, PrivateIpAddress = '' }) => ({
          id: InstanceId,
          state: State?.Name ?? '',
          address: PublicIpAddress ?? PrivateIpAddress,
        }))
    },
    attachVolume: async (id, gigabytes) => attachVolume(ec2, request.name, await find(id), gigabytes, { signal }),
    stop: (ids) => stopInstances(ec2, ids, { signal }),
    terminate: (ids) => terminate(ids, { signal }),
    failed: new Promise<never>(() => {}),
    // Without the signal: an interrupted program must still terminate what it launched. It asks for everything of this run:
    // a launch whose answer was lost has launched instances, too.
    [Symbol.asyncDispose]: async () => await terminate(idsOf(await ourInstances(ec2, request.name))),
  }
}

/** Machines that exist only as entries in a list. */
export function listedMachines(): Machines {
  const states = new Map<string, string>()
  let numbered = 0
  return {
    async launch(count) {
      const ids = Array.from({ length: count }, () => `local-${++numbered}`)
      for (const id of ids) states.set(id, 'running')
      return ids
    },
    list: async () => [...states].map(([id, state]) => ({ id, state, address: '' })),
    attachVolume: async () => 'none: the processes use the disk of this machine',
    async stop(ids) {
      for (const id of ids) states.set(id, 'stopped')
    },
    async terminate(ids) {
      for (const id of ids) states.delete(id)
    },
    failed: new Promise<never>(() => {}),
    [Symbol.asyncDispose]: async () => {},
  }
}

export interface BootOptions {
  /** The store that holds the program. */
  s3: S3Client
  /** What an instance's role would add to the program's environment. */
  environment: NodeJS.ProcessEnv
  signal: AbortSignal
}

/**
 * Gives work to machines that exist only as entries, in our own list or in moto's. For each of them a process on this
 * machine does what an instance would do with the same user data.
 *
 * @param userDataOf reads a machine's user data back; by default the one that `launch` was given
 */
export async function bootedHere(
  machines: Machines,
  { s3, environment, signal }: BootOptions,
  userDataOf?: (id: string) => Promise<string>,
): Promise<Machines> {
  await using stack = new AsyncDisposableStack()
  stack.use(machines)
  const folder = stack.use(await temporaryFolder()).path
  const children = new Map<string, Child>()
  const ending = new Set<string>()
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})
  const end = async (ids: Iterable<string>) => {
    for (const id of ids) ending.add(id)
    await Promise.all([...ending].map((id) => children.get(id)?.stop()))
  }
  stack.defer(() => end(children.keys()))
  const owned = stack.move()

  /** Does what a new instance would do, except for installing Node: this machine has it. */
  async function boot(id: string, userData: string) {
    const { code, environment: settings } = readWorkerUserData(userData)
    const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(code) ?? []
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }), { abortSignal: signal })
    const home = join(folder, id)
    await mkdir(home)
    await writeFile(join(home, 'worker.mjs'), (await Body?.transformToByteArray()) ?? '')
    let lastLine = ''
    const child = await startServer({
      command: process.execPath,
      args: ['worker.mjs'],
      cwd: home,
      env: { ...settings, ...environment },
      signal,
      // A machine runs once it has booted, whatever its program does.
      ready: async () => true,
      onLine: (line) => {
        lastLine = line
      },
    })
    children.set(id, child)
    void child.exited.then(({ code, signal }) => {
      if (!ending.has(id)) failure.reject(new Error(`the worker of ${id} has ended, ${signal ?? code}: ${lastLine}`))
    })
  }
  return {
    ...machines,
    async launch(count, userData) {
      const ids = await machines.launch(count, userData)
      for (const id of ids) await boot(id, (await userDataOf?.(id)) ?? userData)
      return ids
    },
    list: async () =>
      (await machines.list()).map((machine) => ({ ...machine, address: `process ${children.get(machine.id)?.pid}` })),
    async stop(ids) {
      await end(ids)
      await machines.stop(ids)
    },
    async terminate(ids) {
      await end(ids)
      await machines.terminate(ids)
    },
    failed: failure.promise,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
