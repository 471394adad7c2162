/** This chapter's own Raft, as processes that talk over UDP and have a disk. */
import { temporaryFolder } from '@repo/common/process/temporary'
import { startNode } from '@repo/simulator/node'
import { startProcesses } from '@repo/simulator/processes'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Answer } from '../linear/history.ts'
import { startClient } from '../raft/client.ts'
import type { Message } from '../raft/messages.ts'
import type { ServerSettings } from '../raft/server.ts'
import type { Kind, Session, System, SystemOptions } from './system.ts'

/** How much faster the timers of a wrong clock run. */
const wrongPace = 4

/** Returns a group. Without a mistake, its history is linearizable. */
export const raftWith = ({ servers = ['a', 'b', 'c'], mistake }: Partial<ServerSettings> = {}): Kind => ({
  // A leader that falls silent is replaced within a quarter of a second.
  pace: 0.25,
  start: (options) => startRaft({ servers, mistake }, options),
})
export const raft = raftWith()
/** A leader answers reads without asking whether it still leads. */
export const raftReadsAlone = raftWith({ mistake: 'reads alone' })

async function startRaft(settings: ServerSettings, { signal }: SystemOptions): Promise<System> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const { servers } = settings
  const program = new URL('../raft/server.program.ts', import.meta.url)
  const processes = stack.use(await startProcesses({ program, names: servers, settings, folder: folder.path, signal }))
  let leader: string | undefined
  let sessions = 0

  /** A client that gave up begins another session. What the old one has asked for may still take place. */
  async function connect(attempt: number): Promise<Session> {
    const name = `client${++sessions}`
    const first = attempt % servers.length
    let client!: ReturnType<typeof startClient>
    const node = await startNode<Message>({
      name,
      ports: processes.ports,
      onPort: (port) => processes.introduce(name, port),
      begin(world) {
        const inTurn = [...servers.slice(first), ...servers.slice(0, first)]
        client = startClient(world, { name, servers: inTurn, history: [] })
        return (message, from) => {
          if (message.kind === 'result') leader = from
          return client.receive(message)
        }
      },
    })
    return {
      ask: (key, does) => new Promise<Answer>((resolve) => client.request(key, does, resolve)),
      close: () => node[Symbol.asyncDispose](),
    }
  }

  const owned = stack.move()
  return {
    version: 'of this chapter',
    durability: 'a majority has it on disk (fsync)',
    nodes: servers,
    children: processes.children,
    network: processes,
    setClock: async (node, isWrong) => processes.setPace(node, isWrong ? wrongPace : 1),
    // What is not synced is in the memory of the process, and lost with it.
    untried: [],
    failed: processes.failed,
    connect,
    leader: async () => leader,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
