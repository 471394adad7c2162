/**
 * Machines that run a worker, wherever they are: EC2's instances, and processes of this machine behind the same interface.
 * What a machine does is said by its user data.
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
  type LaunchRequest,
  launchInstances,
  ourInstances,
  stopInstances,
  terminateInstances,
  untilRunning,
  userDataOf,
} from './ec2.ts'
import { readWorkerUserData } from './user-data.ts'

export interface Machine {
  id: string
  /** EC2's word for it: `pending`, `running`, `stopped` … */
  state: string
  /** How it is reached: an address, or the process that it is. */
  address: string
}

/** Disposing of machines terminates all that were launched and are still there. */
export interface Machines extends AsyncDisposable {
  /** Starts machines that run this script, waits until they run, and returns their ids. */
  launch: (count: number, userData: string) => Promise<string[]>
  list: () => Promise<Machine[]>
  /** Gives a machine another disk of some gigabytes, and returns its id. */
  attachVolume: (id: string, gigabytes: number) => Promise<string>
  /** Ends what runs on machines; their disks stay. */
  stop: (ids: string[]) => Promise<void>
  /** Ends machines for good. */
  terminate: (ids: string[]) => Promise<void>
  /** Rejected when a worker ends by itself; of real instances nobody here hears that. */
  failed: Promise<never>
}

export interface BootOptions {
  /** Where the worker's code is. */
  s3: S3Client
  /** What an instance's role would give the worker: the way to the cloud, and credentials. */
  environment: NodeJS.ProcessEnv
  signal: AbortSignal
}

/** Instances of EC2. */
export function ec2Machines(
  ec2: EC2Client,
  request: Omit<LaunchRequest, 'count' | 'userData'>,
  signal: AbortSignal,
): Machines {
  const launched = new Set<string>()
  const find = async (id: string) => {
    const found = (await ourInstances(ec2)).find(({ InstanceId }) => InstanceId === id)
    if (!found) throw new Error(`there is no instance ${id}`)
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
    // Not with the signal: what was started is ended all the more when the work is interrupted.
    [Symbol.asyncDispose]: () => terminate([...launched]),
  }
}

/** Processes of this machine that do what instances would do with the same user data. */
export async function localMachines(options: BootOptions): Promise<Machines> {
  await using stack = new AsyncDisposableStack()
  const processes = stack.use(await bootProcesses(options))
  const states = new Map<string, string>()
  let numbered = 0
  const find = (id: string) => {
    if (!states.has(id)) throw new Error(`there is no machine ${id}`)
  }
  const owned = stack.move()
  return {
    async launch(count, userData) {
      const ids = Array.from({ length: count }, () => `local-${++numbered}`)
      for (const id of ids) {
        await processes.boot(id, userData)
        states.set(id, 'running')
      }
      return ids
    },
    list: async () => [...states].map(([id, state]) => ({ id, state, address: `process ${processes.pid(id)}` })),
    async attachVolume(id, gigabytes) {
      find(id)
      await mkdir(join(processes.folder, `${id}-volume`))
      return `a folder in the place of ${gigabytes} GB`
    },
    async stop(ids) {
      ids.forEach(find)
      await processes.end(ids)
      for (const id of ids) states.set(id, 'stopped')
    },
    async terminate(ids) {
      ids.forEach(find)
      await processes.end(ids)
      for (const id of ids) states.delete(id)
    },
    failed: processes.failed,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/**
 * Machines of an EC2 that only keeps account of them, as moto does: for each instance a process of this machine does what
 * the instance's own user data says, as that EC2 gives it back.
 */
export async function bootedHere(machines: Machines, ec2: EC2Client, options: BootOptions): Promise<Machines> {
  await using stack = new AsyncDisposableStack()
  stack.use(machines)
  const processes = stack.use(await bootProcesses(options))
  const owned = stack.move()
  return {
    ...machines,
    async launch(count, userData) {
      const ids = await machines.launch(count, userData)
      for (const id of ids) await processes.boot(id, await userDataOf(ec2, id))
      return ids
    },
    list: async () =>
      (await machines.list()).map((machine) => ({ ...machine, address: `process ${processes.pid(machine.id)}` })),
    async stop(ids) {
      await processes.end(ids)
      await machines.stop(ids)
    },
    async terminate(ids) {
      await processes.end(ids)
      await machines.terminate(ids)
    },
    failed: processes.failed,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Processes in the place of machines; disposing of it ends them. */
async function bootProcesses({ s3, environment, signal }: BootOptions) {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
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

  /** Does what a new instance would do, but for installing Node: this machine has it. */
  async function boot(id: string, userData: string) {
    const { code, environment: settings } = readWorkerUserData(userData)
    const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(code) ?? []
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }), { abortSignal: signal })
    const home = join(folder.path, id)
    await mkdir(home)
    await writeFile(join(home, 'worker.mjs'), (await Body?.transformToByteArray()) ?? '')
    let lastLine = ''
    const child = await startServer({
      command: process.execPath,
      args: ['worker.mjs'],
      cwd: home,
      env: { ...settings, ...environment },
      signal,
      // A machine runs when it has booted; how its worker does is another matter.
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
    boot,
    end,
    folder: folder.path,
    failed: failure.promise,
    pid: (id: string) => children.get(id)?.pid,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
