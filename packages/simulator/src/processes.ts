/**
 * Nodes as processes of this machine: the handlers of the simulator with real datagrams, disks and clocks. They can be killed
 * and started again, cut off from each other, and given a clock that is wrong.
 */
import { type Program, startProgram } from '@repo/common/process/child'
import { type Children, startChildren } from '@repo/common/process/children'
import { ready } from '@repo/common/process/ready'
import { type Node, type NodeOptions, startNode } from './node.ts'
import type { NodeWorld, Receive } from './simulator.ts'

export interface ProcessesOptions<Settings, Report> {
  /** A program that calls `runNode`. */
  program: URL
  names: readonly string[]
  /** For all nodes. */
  settings: Settings
  /** In which each node has a folder of its own for what it saves. Without it they must not save. */
  folder?: string
  /** Gets what a node reports. */
  onReport?: (name: string, report: Report) => void
  signal?: AbortSignal | undefined
}

/** Running nodes, which know each other's ports, also after a restart. Disposing of them stops them. */
export interface Processes extends AsyncDisposable {
  children: Children<Program<{ port: number }>>
  /** Starts another node, such as a client, in this process. It and the others know each other. */
  join: <Message>(name: string, begin: NodeOptions<Message>['begin']) => Promise<Node>
  /** Cuts a node off from the others, in both directions, until `heal`. Those who have joined still reach it. */
  cut: (name: string) => void
  heal: () => void
  /** Makes a node's timers run faster: with 2 they fire in half the time. */
  setPace: (name: string, pace: number) => void
  /** Resolves when a node has ended by itself, with the reason, such as a disk that is full. */
  failed: Promise<Error>
}

/** What a node's program finds in its environment. */
interface Start<Settings> {
  name: string
  names: readonly string[]
  folder?: string
  settings: Settings
}

/** What a node is told while it runs: ports by name, null for those that it can no longer reach, or its pace. */
interface Told {
  ports?: [string, number | null][]
  pace?: number
}

/** Starts a process for each node. */
export async function startProcesses<Settings, Report = never>({
  program,
  names,
  settings,
  folder,
  onReport,
  signal,
}: ProcessesOptions<Settings, Report>): Promise<Processes> {
  const ports = new Map<string, number>()
  const processes = new Map<string, Program<{ port: number }>['process']>()
  const tell = (name: string, told: Told) => {
    const process = processes.get(name)
    if (process?.connected) process.send(told, () => {})
  }
  const failure = Promise.withResolvers<Error>()
  const introduce = (name: string, port: number) => {
    ports.set(name, port)
    for (const each of processes.keys()) tell(each, { ports: [[name, port]] })
  }
  const children = await startChildren(names, async (name) => {
    const start: Start<Settings> = {
      name,
      names,
      settings,
      ...(folder !== undefined && { folder: `${folder}/${name}` }),
    }
    let why = ''
    const child = await startProgram<{ port: number }>(program, {
      env: { SETTINGS: JSON.stringify(start) },
      signal,
      onLine: (line) => {
        why = line
      },
    })
    void child.exited.then(({ code }) => code === 1 && failure.resolve(new Error(`${name} ended: ${why}`)))
    child.process.on('message', (report: Report) => onReport?.(name, report))
    processes.set(name, child.process)
    introduce(name, child.info.port)
    tell(name, { ports: [...ports] })
    return child
  })
  return {
    children,
    join: (name, begin) => startNode({ name, ports, onPort: (port) => introduce(name, port), begin }),
    cut(name) {
      const others = names.filter((other) => other !== name)
      for (const other of others) tell(other, { ports: [[name, null]] })
      tell(name, { ports: others.map((other) => [other, null]) })
    },
    heal() {
      for (const name of names) tell(name, { ports: [...ports] })
    },
    setPace: (name, pace) => tell(name, { pace }),
    failed: failure.promise,
    [Symbol.asyncDispose]: () => children[Symbol.asyncDispose](),
  }
}

/**
 * Runs a node in a program that `startProcesses` has started. It begins when it knows where all others are.
 *
 * @param begin gets `report`, which sends something to the process that has started this one
 * @throws the first error of a handler: a node that cannot save must not say that it has saved
 */
export async function runNode<Message, Settings, Report = never>(
  begin: (
    world: NodeWorld<Message>,
    node: { name: string; settings: Settings; disk: ReadonlyMap<string, unknown>; report: (report: Report) => void },
  ) => Receive<string, Message>,
): Promise<never> {
  const { name, names, folder, settings } = JSON.parse(process.env.SETTINGS ?? '') as Start<Settings>
  const ports = new Map<string, number>()
  const known = Promise.withResolvers<void>()
  process.on('message', ({ ports: given = [] }: Told) => {
    for (const [other, port] of given) {
      if (port === null) ports.delete(other)
      else ports.set(other, port)
    }
    if (names.every((each) => ports.has(each))) known.resolve()
  })
  const report = (report: Report) => void process.send?.(report, undefined, undefined, () => {})
  const node = await startNode<Message>({
    name,
    ports,
    folder,
    onPort(port) {
      ready({ port })
      return known.promise
    },
    begin: (world, disk) => begin(world, { name, settings, disk, report }),
  })
  process.on('message', ({ pace }: Told) => {
    node.pace = pace ?? node.pace
  })
  throw await node.failed
}
