/** What a replicated store must offer to be judged: clients, and everything that can happen to its nodes. */
import { within } from '@repo/common/async/until'
import type { Children } from '@repo/common/process/children'
import type { Action, Answer } from '../linear/history.ts'

/**
 * What a client knows afterwards: the answer; that it certainly `did not happen`, because nothing was sent or the store
 * said so; or nothing, because there was `no answer` in time, and it may take place even later.
 */
export type Outcome = Answer | 'did not happen' | 'no answer'

/** A connection to a store. */
export interface Session {
  /** May fail or take for ever, which is no answer. */
  ask: (key: string, does: Action) => Promise<Answer>
  close?: () => unknown
}

/**
 * What happens to nodes for a while: they are `killed` by SIGKILL, one or `all`, and started again; `paused` by SIGSTOP; `cut
 * off` from the other nodes, but not from clients; or their clock is wrong.
 */
export const troubles = ['killed', 'paused', 'cut off', 'all killed', 'clock wrong'] as const
export type Trouble = (typeof troubles)[number]

/** A running store. Disposing of it stops its nodes and removes their data. */
export interface System extends AsyncDisposable {
  version: string
  /** When a write counts as done. */
  durability: string
  /** How long faults last compared with those of other systems, 1 by default: long enough for an election. */
  pace?: number
  nodes: readonly string[]
  /** The nodes' processes. Started again, a node has what its disk holds. */
  children: Children
  /** Cuts a node off from the others, silently, until `heal`. Clients are not affected. */
  network: { cut: (node: string) => void; heal: () => void }
  /** Remembers what the disks hold, and returns what sets them back to it while no node is running: a loss of power. */
  keepDisks?: () => Promise<() => Promise<void>>
  /** Makes the clock of a node wrong, or right again. */
  setClock?: ((node: string, isWrong: boolean) => Promise<void>) | undefined
  /** What cannot be tried with it here, and why. */
  untried: readonly string[]
  /** Resolves when a node has ended by itself, for ever. */
  failed?: Promise<Error>
  /** Connects to a node, or to the one that the system chooses itself. */
  connect: (node: string) => Promise<Session>
  /** The errors of a session which say that nothing has happened. */
  refusals?: RegExp
  /** Resolves when every node has what was acknowledged, where an acknowledgement does not wait for that. */
  settled?: () => Promise<unknown>
  /** The node that leads at the moment, if anybody knows. */
  leader: () => Promise<string | undefined>
}

/**
 * Starts a system of a kind.
 *
 * @throws an Error of one line if its server is not installed, which says what installs it
 */
export type Kind = (signal?: AbortSignal) => Promise<System>

/** Why some systems have no wrong clock. */
export const goClock = 'a wrong clock: a program in Go does not ask libc for the time, so libfaketime cannot reach it'
/** Why some systems do not lose what is not on the disk. */
export const unsynced = 'the loss of what is not synced: SIGKILL leaves it in the memory of the system'

/** How long a client waits for an answer, if it is not told otherwise. */
export const patienceMs = 1_000

/**
 * Returns a client, which connects when it is asked, and after every failure to the next node. It never throws.
 *
 * @param number counts the clients from 0: each begins with another node
 * @param options.signal ends the waiting
 */
export function clientOf(
  { nodes, connect, refusals }: Pick<System, 'nodes' | 'connect' | 'refusals'>,
  number: number,
  options: { patienceMs?: number | undefined; signal?: AbortSignal | undefined } = {},
) {
  let attempt = number
  let session: Session | undefined
  function drop() {
    // Without waiting: what is at its other end may hang.
    void session?.close?.()
    session = undefined
  }
  return {
    async ask(key: string, does: Action): Promise<Outcome> {
      let outcome: Outcome = 'did not happen'
      try {
        session ??= await connect(nodes[attempt % nodes.length] ?? '')
        const { ask } = session
        outcome = 'no answer'
        const answer = await within(options.patienceMs ?? patienceMs, () => ask(key, does), options.signal)
        if (answer) return answer.value
      } catch (error) {
        if (refusals?.test(`${error} ${(error as Error).cause}`)) outcome = 'did not happen'
      }
      attempt++
      drop()
      return outcome
    },
    [Symbol.dispose]: drop,
  }
}
