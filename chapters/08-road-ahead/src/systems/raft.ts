/** This chapter's own Raft, as processes that talk over UDP and have a disk. */
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProcesses } from '@repo/simulator/processes'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { startClient } from '../raft/client.ts'
import type { Message } from '../raft/messages.ts'
import type { ServerSettings } from '../raft/server.ts'
import type { Kind, Session, System } from './system.ts'

/** How much faster the timers of a wrong clock run. */
const wrongPace = 4

/** Starts a group. Without a mistake, its history is linearizable. */
export async function startGroup(settings: ServerSettings, signal?: AbortSignal): Promise<System> {
  const { servers } = settings
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder()).path
  const program = new URL('../raft/server.program.ts', import.meta.url)
  const processes = stack.use(await startProcesses({ program, names: servers, settings, folder, signal }))
  let leader: string | undefined
  let sessions = 0

  /** A client that gave up begins another session. What the old one has asked for may still take place. */
  async function connect(first: string): Promise<Session> {
    const name = `client${++sessions}`
    const others = servers.filter((server) => server !== first)
    let client!: ReturnType<typeof startClient>
    const node = await processes.join<Message>(name, (world) => {
      client = startClient(world, { name, servers: [first, ...others], history: [] })
      return (message, from) => {
        if (message.kind === 'result') leader = from
        return client.receive(message)
      }
    })
    return {
      ask: (key, does) => new Promise((resolve) => client.request(key, does, resolve)),
      close: () => node[Symbol.asyncDispose](),
    }
  }

  const owned = stack.move()
  return {
    ...processes,
    version: 'of this chapter',
    // A leader that falls silent is replaced in a quarter of a second.
    pace: 0.25,
    durability: 'a majority has it on disk (fsync)',
    nodes: servers,
    network: processes,
    setClock: async (node, isWrong) => processes.setPace(node, isWrong ? wrongPace : 1),
    // What is not synced is in the memory of the process, and lost with it.
    untried: [],
    connect,
    leader: async () => leader,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const names = ['a', 'b', 'c']
export const raft: Kind = (signal) => startGroup({ servers: names }, signal)
/** A leader answers reads without asking whether it still leads. */
export const raftReadsAlone: Kind = (signal) => startGroup({ servers: names, mistake: 'reads alone' }, signal)
